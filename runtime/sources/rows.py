"""The records that stand in the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dpipe.runtime.sources.base import Context, Read, Reading, batched, record_of


def read(records: list[Any], *, context: Context) -> Reading:
    """Each record, placed by its index."""

    def items() -> Iterator[Read]:
        for index, value in enumerate(records):
            yield record_of(value, f"{context.name}[{index}]")

    return Reading((), lambda: batched(items()))
