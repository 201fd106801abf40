"""Parquet: a table's rows, read a few hundred at a time, however long the file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dpipe.runtime.sources.base import BATCH, Context, Read, Reading, Unreadable
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.tables import read_each, records

SUFFIXES = (".parquet", ".pq")


def read(path: str | list[str], *, context: Context) -> Reading:
    """Each row's values by their columns; places count rows from 0."""
    return read_each(path, SUFFIXES, context, _table, _columns)


def _columns(file: Path) -> list[str]:
    names: list[str] = pq.read_schema(file).names
    return names


def _table(file: Path, name: str) -> Iterator[Read]:
    """The rows up to where the file is damaged."""
    place, done = name, 0
    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(BATCH):
                yield from records(batch, name, done)
                done += batch.num_rows
                place = f"{name}[{done}]"
    except (OSError, ValueError, pa.ArrowException) as e:
        yield Unreadable(place, _why(file, e, done))


def _why(file: Path, error: Exception, done: int) -> str:
    # Arrow's own words for damage are about thrift, magic bytes and pages.
    if not isinstance(error, pa.ArrowException | OSError) or getattr(error, "strerror", None):
        return reason(error)
    if file.stat().st_size == 0:
        return "the file is empty"
    if "encrypted" in str(error) or "decrypt" in str(error):
        return "encrypted: it opens with a key only"
    return "damaged from here on" if done else "not a Parquet file, or damaged"
