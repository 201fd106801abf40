"""Further columns of a table: the fields of ``extra:``, which its type must tell."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.errors import UsageError


def extra_fields(row: types.Record, writer: str) -> tuple[types.Field, ...]:
    """The fields of ``extra``; raises ``UsageError`` where they are not known before the rows."""
    match row.get("extra"):
        case None:
            return ()
        case types.Record(fields=fields, open=False):
            return fields
        case _:
            raise UsageError(
                f"`extra:` of `{writer}` makes columns, whose names and types must be known",
                hint="write it out, as `extra: { id: .id }`, or give the record a type",
            )
