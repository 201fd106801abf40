"""Texts as vectors: through the journal and the embedder's gate, many texts a call."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TypeAlias

import trio

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed
from dpipe.runtime.journal import Journal
from dpipe.runtime.keys import vector_key
from dpipe.runtime.models.protocol import Embedder, RejectedRequest, Unavailable

BATCH = 64
"""Texts a call."""

Vector: TypeAlias = list[float]


class Embeddings:
    """The embedders of one run. With ``replay`` the journal alone answers.

    Vectors are those that the journal keeps, in single precision, whether fresh or recalled.
    """

    def __init__(
        self,
        embedder: Callable[[graph.One], Embedder],
        journal: Journal,
        *,
        replay: bool = False,
    ) -> None:
        self._embedder = embedder
        self._journal = journal
        self._replay = replay

    async def vectors(self, one: graph.One, texts: Sequence[str]) -> list[Vector | Failed]:
        """One vector a text, in order; where a text has none, why."""
        embedder = self._embedder(one)
        keys = [vector_key(embedder.scope, text) for text in texts]
        known: dict[bytes, bytes | Failed] = {**self._journal.recall_vectors(keys)}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            known |= await self._asked(embedder, missing)
        return [_unpacked(known[key]) for key in keys]

    async def _asked(
        self, embedder: Embedder, missing: dict[bytes, str]
    ) -> dict[bytes, bytes | Failed]:
        if self._replay:
            failed = Failed("unavailable", "a replay, and the journal has no vector of this text")
            return dict.fromkeys(missing, failed)
        found: dict[bytes, bytes | Failed] = {}
        keys = list(missing)

        async def ask(part: list[bytes]) -> None:
            found.update(await self._call(embedder, {key: missing[key] for key in part}))

        async with trio.open_nursery() as nursery:
            for start in range(0, len(keys), BATCH):
                nursery.start_soon(ask, keys[start : start + BATCH])
        return found

    async def _call(
        self, embedder: Embedder, texts: dict[bytes, str]
    ) -> dict[bytes, bytes | Failed]:
        """The vectors of one call; a text that is refused is told from the others by itself."""
        try:
            vectors = await embedder.embed(list(texts.values()))
        except Unavailable as error:
            return dict.fromkeys(texts, Failed("unavailable", error.message))
        except RejectedRequest as error:
            if len(texts) == 1:
                return dict.fromkeys(texts, Failed("rejected_request", error.message))
            alone = [await self._call(embedder, {key: text}) for key, text in texts.items()]
            return {key: vector for one in alone for key, vector in one.items()}
        packed = {
            key: array("f", vector).tobytes() for key, vector in zip(texts, vectors, strict=True)
        }
        await self._journal.record_vectors(packed, model=embedder.scope)
        return {**packed}


def _unpacked(vector: bytes | Failed) -> Vector | Failed:
    return vector if isinstance(vector, Failed) else array("f", vector).tolist()
