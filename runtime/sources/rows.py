"""The records that stand in the program itself."""

from __future__ import annotations

from typing import Any

from dpipe.runtime.sources.base import (
    Context,
    Read,
    Reading,
    Record,
    batched,
    identity_of,
    not_a_record,
)


def read(records: list[Any], *, context: Context) -> Reading:
    """Each record, placed by its index."""

    def record(index: int, value: Any) -> Read:
        place = f"{context.name}[{index}]"
        if not isinstance(value, dict):
            return not_a_record(value, place)
        return Record(value, identity_of(value), place)

    return Reading((), lambda: batched(record(*each) for each in enumerate(records)))
