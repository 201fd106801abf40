"""Vectors: once a text, in single precision, and no text takes another with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from dpipe.lang.graph import One
from dpipe.runtime.answerers import Failed
from dpipe.runtime.embedding import BATCH, Embeddings
from dpipe.runtime.journal import Journal
from dpipe.runtime.models.protocol import RejectedRequest, Unavailable

V = One("v")


class FakeEmbedder:
    name = scope = "v"

    def __init__(self, refuses: Callable[[str], Exception | None] = lambda text: None) -> None:
        self.calls: list[int] = []
        self._refuses = refuses

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        await trio.lowlevel.checkpoint()
        self.calls.append(len(texts))
        for text in texts:
            if (error := self._refuses(text)) is not None:
                raise error
        return [[len(text) + 0.1, 0.5] for text in texts]

    async def aclose(self) -> None:
        """There is nothing to close."""


def vectors(folder: Path, embedder: FakeEmbedder, *texts: str, replay: bool = False) -> list[Any]:
    with Journal.open(folder / "journal.sqlite", program="t") as journal:
        journal.begin_run("t")
        embeddings = Embeddings(lambda one: embedder, journal, replay=replay)
        return trio.run(embeddings.vectors, V, texts)


def test_texts_are_embedded_once_and_many_a_call(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    texts = [f"text {at}" for at in range(BATCH + 1)]
    first = vectors(tmp_path, embedder, *texts, *texts)
    assert sorted(embedder.calls) == [1, BATCH]
    assert vectors(tmp_path, embedder, *texts, *texts) == first
    assert len(embedder.calls) == 2


def test_a_fresh_vector_is_the_one_that_the_journal_keeps(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    [fresh] = vectors(tmp_path, embedder, "abc")
    [recalled] = vectors(tmp_path, embedder, "abc", replay=True)
    assert fresh == recalled != [3.1, 0.5]
    assert fresh == pytest.approx([3.1, 0.5])


def test_a_text_that_is_refused_takes_no_other_with_it(tmp_path: Path) -> None:
    refused = RejectedRequest("too long", status=400)
    embedder = FakeEmbedder(lambda text: refused if text == "b" else None)
    found = vectors(tmp_path, embedder, "a", "b", "c")
    assert found[1] == Failed("rejected_request", "too long")
    assert isinstance(found[0], list)
    assert isinstance(found[2], list)


def test_an_endpoint_out_of_reach_and_a_replay_without_answer_are_failures(tmp_path: Path) -> None:
    down = FakeEmbedder(lambda text: Unavailable("down", kind="connection"))
    assert vectors(tmp_path, down, "a") == [Failed("unavailable", "down")]
    [missing] = vectors(tmp_path, FakeEmbedder(), "a", replay=True)
    assert missing.outcome == "unavailable"
