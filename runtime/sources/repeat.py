"""Rows that are told apart by their index alone."""

from __future__ import annotations

from dpipe.runtime.errors import UsageError
from dpipe.runtime.sources.base import Context, Read, Reading, Record, batched


def read(n: int, *, context: Context) -> Reading:
    """``n`` rows ``{ index }``, from 0."""
    if n < 0:
        raise UsageError(f"`repeat({n})`: the count is at least 0")

    def record(index: int) -> Read:
        return Record({"index": index}, str(index), f"{context.name}[{index}]")

    return Reading((), lambda: batched(map(record, range(n))))
