"""A Parquet file on its way: what all writers of Parquet share."""

from __future__ import annotations

from io import RawIOBase
from typing import Any

import pyarrow.parquet as pq

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.sinks.columns import Columns
from dpipe.runtime.values import Values

_ROWS = 10_000
_CHARACTERS = 1 << 26
"""What fills a group of rows, which is in memory until it is written."""


class TableFile:
    """A record a row, in groups; a file without its end cannot be read, by anyone."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out
        self._columns = Columns(row)
        self._bytes = _Bytes()
        self._file = pq.ParquetWriter(self._bytes, self._columns.schema, compression="zstd")
        self._rows: list[Values] = []
        self._characters = 0

    def put(self, record: Values) -> None:
        stored = self._columns.stored(record)
        self._rows.append(stored)
        self._characters += sum(len(part) for part in stored.values() if isinstance(part, str))
        if len(self._rows) >= _ROWS or self._characters > _CHARACTERS:
            self._write()

    def close(self) -> None:
        if self._rows:
            self._write()
        self._file.close()
        self._out.write(self._bytes.taken())

    def _write(self) -> None:
        self._file.write_table(self._columns.table(self._rows))
        self._rows, self._characters = [], 0
        self._out.write(self._bytes.taken())


class _Bytes(RawIOBase):
    """What Arrow has written and nobody has taken.

    Arrow never has the file itself: a writer that is given up would still write its end.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
