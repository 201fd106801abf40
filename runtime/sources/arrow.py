"""Arrow's own files: those with a footer (Feather 2) and those of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from dpipe.runtime.sources.base import Context, Read, Reading, Unreadable
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.tables import read_each, records

SUFFIXES = (".arrow", ".feather", ".ipc")
_MAGIC = b"ARROW1"


def read(path: str | list[str], *, context: Context) -> Reading:
    """Each row's values by their columns; places count rows from 0."""
    return read_each(path, SUFFIXES, context, _table, _columns)


def _columns(file: Path) -> list[str]:
    with pa.OSFile(str(file)) as opened, _opened(opened) as table:
        names: list[str] = table.schema.names
    return names


def _table(file: Path, name: str) -> Iterator[Read]:
    """The rows up to where the file is damaged."""
    place, done = name, 0
    try:
        with pa.OSFile(str(file)) as opened:
            for batch in _batches(opened):
                # Lengths and offsets of a damaged file would lead out of its memory.
                batch.validate(full=True)
                yield from records(batch, name, done)
                done += batch.num_rows
                place = f"{name}[{done}]"
    except (OSError, ValueError, pa.ArrowException) as e:
        yield Unreadable(place, _why(file, e, done))


def _batches(opened: Any) -> Iterator[Any]:
    with _opened(opened) as table:
        if isinstance(table, pa.ipc.RecordBatchStreamReader):
            yield from table
            return
        for at in range(table.num_record_batches):
            yield table.get_batch(at)


def _opened(opened: Any) -> Any:
    """The reader of a file with a footer, or of a stream."""
    begin = opened.read(len(_MAGIC))
    opened.seek(0)
    return pa.ipc.open_file(opened) if begin == _MAGIC else pa.ipc.open_stream(opened)


def _why(file: Path, error: Exception, done: int) -> str:
    if not isinstance(error, pa.ArrowException | OSError) or getattr(error, "strerror", None):
        return reason(error)
    if file.stat().st_size == 0:
        return "the file is empty"
    return "damaged from here on" if done else "not an Arrow file, or damaged"
