"""The n-th record of a file that a sink wrote, whatever its format."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any

from msgspec import Struct

from dpipe.lang.graph import Const, SinkNode
from dpipe.runtime.python import load
from dpipe.runtime.sources.base import Context, Reading, Record, Unreadable

_READERS = "dpipe.runtime.sources"
_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx", b"[": "json"}
"""What files of a format begin with; lines of JSON begin with a brace."""


class Found(Struct, frozen=True):
    """The record, or None where the file has only ``count``; ``trouble`` if it cannot be read."""

    record: dict[str, Any] | None
    count: int
    trouble: str = ""


async def nth(file: Path, number: int, sink: SinkNode, *, is_rejects: bool) -> Found:
    """The ``number``-th record, from 1."""
    count = 0
    async with aclosing(aiter(_open(file, sink, is_rejects))) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for read in batch:
                if isinstance(read, Unreadable):
                    return Found(None, count, read.message)
                assert isinstance(read, Record)
                count += 1
                if count == number:
                    return Found(read.values, count)
    return Found(None, count)


def _open(file: Path, sink: SinkNode, is_rejects: bool) -> Reading:
    kind = "jsonl" if is_rejects else _kind(file, sink)
    options = {}
    if kind == "csv":
        constants = ((name, each) for name, each in sink.options if name == "separator")
        options = {name: each.value for name, each in constants if isinstance(each, Const)}
    context = Context(sink.name, file.parent, file.parent)
    read = load(f"{_READERS}.{kind}:read")
    reading: Reading = read(str(file.absolute()), context=context, **options)
    return reading


def _kind(file: Path, sink: SinkNode) -> str:
    """The module of the reader."""
    target = sink.target.rpartition(":")[0].rpartition(".")[2]
    if target in ("csv", "report"):
        return "json" if target == "report" else target
    with file.open("rb") as opened:
        begins = opened.read(4)
    return next((kind for magic, kind in _MAGIC.items() if begins.startswith(magic)), "jsonl")
