"""Tables: the columns of the row type, a record a line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dpipe.lang import types
from dpipe.runtime.errors import UsageError
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.sinks.cells import cell
from dpipe.runtime.sinks.pictures import Pictures
from dpipe.runtime.values import Values


class Csv:
    """Texts as they are, null as an empty cell, lists and records as JSON.

    In a column of json, a text that would read as something else is JSON too.
    """

    def __init__(
        self, out: Out, row: types.Record, separator: str = ",", images_in: str = ""
    ) -> None:
        if len(separator) != 1 or separator in '"\r\n':
            raise UsageError(f"`separator: {separator!r}` is not one character other than a quote")
        self._out = out
        self._pictures = Pictures(out, images_in, row)
        self._columns = row.fields
        self._separator = separator
        self._special = re.compile(f'[{re.escape(separator)}"\r\n]')
        self._write(row.names())

    def put(self, record: Values) -> None:
        record = self._pictures(record)
        self._write([cell(record.get(field.name), field) for field in self._columns])

    def close(self) -> None:
        pass

    def _write(self, cells: Iterable[str]) -> None:
        # A line of one empty cell would be a blank line, which is none.
        line = self._separator.join(map(self._quoted, cells)) or '""'
        self._out.write(f"{line}\n".encode())

    def _quoted(self, cell: str) -> str:
        """RFC 4180, where line ends of any kind are quoted."""
        return '"' + cell.replace('"', '""') + '"' if self._special.search(cell) else cell
