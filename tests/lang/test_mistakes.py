"""Mistakes through all of ``check``, names and types included, as ``bench`` measures them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang.compile import compile_program
from tests.lang.programs import STD, load_std

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module("planted")
    for name in ("mutations", "planted"):
        sys.modules.pop(name, None)


def test_three_mistakes_are_all_told(bench: ModuleType) -> None:
    results = [bench.missed(case) for case in bench.planted(120, seed=5)]
    assert sum(not missed for missed in results) / len(results) >= 0.95


def _check(text: bytes) -> None:
    def load(path: str) -> bytes:
        return text if path == "p.dpipe" else load_std(path)

    compiled = compile_program("p.dpipe", load, STD)
    assert compiled.graph is not None or compiled.diagnostics


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_random_bytes_give_diagnostics(data: bytes) -> None:
    _check(data)
    _check(b"dpipe 1\n" + data)


WORDS = st.sampled_from(
    [
        "dpipe 1",
        "flow",
        "source",
        "sink",
        "prompt",
        "model",
        "def",
        "pipe",
        "type",
        "test",
        "x",
        ".x",
        "y:",
        "=",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        '"t"',
        '"{.x}"',
        ",",
        "",
        "",
        "->",
        "int",
        "str",
        "?",
        "ask",
        "where",
        "jsonl",
        "using:",
        "as:",
        "==",
        "and",
        "3",
        "..",
        "\n",
        "import",
        "std.text",
        "concat",
        "loop",
    ]
)


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=40))
def test_any_words_give_diagnostics(words: list[str]) -> None:
    _check(("dpipe 1\n" + " ".join(words)).encode())


@pytest.mark.parametrize("opener", ["(", "[", "{ a: ", "not ", "-", "if true then "])
def test_deep_nesting_gives_diagnostics(opener: str) -> None:
    _check(f"dpipe 1\nparam a: int = {opener * 300}1".encode())
