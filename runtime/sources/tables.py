"""Arrow's columns as records: what Parquet, Arrow and datasets share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
from pyarrow import types as kinds

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import (
    BATCH,
    Context,
    Read,
    Reading,
    Unreadable,
    batched,
    record_of,
)
from dpipe.runtime.sources.columns import refuse_twins
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.headers import Header, headers_of

Plain: TypeAlias = Callable[[Any], Any]
PICTURE = {"bytes", "path"}
"""The fields of a struct that holds a picture, as the `datasets` library has it."""


def read_each(
    path: str | Sequence[str],
    suffixes: Sequence[str],
    context: Context,
    table: Callable[[Path, str], Iterator[Read]],
    columns: Callable[[Path], Sequence[str]],
) -> Reading:
    """The rows of each file, one file after the other; ``table`` reads one under its name.

    ``columns`` are a file's; it may raise what reading it does.
    """
    files = find_inputs(path, context.base, suffixes)

    def read() -> Iterator[Read]:
        for file in files:
            yield from table(file, display(file, context.project))

    return Reading(
        files,
        lambda: batched(read()),
        headers_of(files, context.project, lambda file, name: Header(name, columns(file))),
    )


def records(batch: Any, name: str, first: int) -> Iterator[Read]:
    """Each row of a record batch as ``name[place]``, the batch's first being ``name[first]``.

    Dates and times are ISO texts, columns of JSON (``arrow.json``) the values that they hold,
    structs of a picture its bytes or path. Raises ``ValueError`` where two columns share a name.
    """
    refuse_twins(batch.schema.names)
    plain = _record({field.name: _plain(field.type) for field in batch.schema})
    for start in range(0, batch.num_rows, BATCH):
        part = batch.slice(start, BATCH)
        for at, row in enumerate(_rows(part), first + start):
            yield _read(row, plain, f"{name}[{at}]")


def _rows(part: Any) -> Iterator[Any]:
    """The rows as Python has them; a row that it cannot have is the error."""
    try:
        yield from part.to_pylist()
    except ValueError:
        for at in range(part.num_rows):
            try:
                yield part.slice(at, 1).to_pylist()[0]
            except ValueError as wrong:
                yield wrong


def _read(row: Any, plain: Plain, place: str) -> Read:
    try:
        if isinstance(row, ValueError):
            raise row
        return record_of(plain(row), place)
    except msgspec.DecodeError:
        return Unreadable(place, "a column of JSON holds a text that is not JSON")
    except ValueError as e:
        return Unreadable(place, reason(e))


# -- one function a type -------------------------------------------------------------------------


def _plain(of: Any) -> Plain | None:
    """What makes a value plain; None where Python's own is."""
    if isinstance(of, pa.JsonType):
        return msgspec.json.decode
    if isinstance(of, pa.BaseExtensionType):
        return _plain(of.storage_type)
    if kinds.is_dictionary(of):
        return _plain(of.value_type)
    if kinds.is_struct(of):
        return _struct(of)
    if kinds.is_map(of):
        return _map(_plain(of.item_type))
    if kinds.is_nested(of):
        return _list(_plain(of.value_type)) if hasattr(of, "value_type") else None
    if kinds.is_duration(of):
        return lambda value: value.total_seconds()
    if kinds.is_temporal(of):
        return lambda value: value.isoformat()
    return _number if kinds.is_decimal(of) else None


def _struct(of: Any) -> Plain | None:
    parts = {of.field(at).name: of.field(at).type for at in range(of.num_fields)}
    if set(parts) == PICTURE and kinds.is_binary(parts["bytes"]):
        return lambda value: value["path"] if value["bytes"] is None else value["bytes"]
    made = {name: _plain(part) for name, part in parts.items()}
    return _record(made) if any(made.values()) else None


def _record(parts: dict[str, Plain | None]) -> Plain:
    changed = [(name, plain) for name, plain in parts.items() if plain]

    def record(value: dict[str, Any]) -> dict[str, Any]:
        for name, plain in changed:
            if value[name] is not None:
                value[name] = plain(value[name])
        return value

    return record


def _list(plain: Plain | None) -> Plain | None:
    if plain is None:
        return None
    return lambda value: [None if one is None else plain(one) for one in value]


def _map(plain: Plain | None) -> Plain:
    def record(value: list[tuple[Any, Any]]) -> dict[Any, Any]:
        return {k: v if v is None or plain is None else plain(v) for k, v in value}

    return record


def _number(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)
