"""Tables: the columns of the row type, a record a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dpipe.lang import types
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import field_path, from_text
from dpipe.runtime.sinks.base import Out, encode
from dpipe.runtime.values import Values


class Csv:
    """Texts as they are, null as an empty cell, lists and records as JSON.

    In a column of json, a text that would read as something else is JSON too.
    """

    def __init__(self, out: Out, row: types.Record, separator: str = ",") -> None:
        if len(separator) != 1 or separator in '"\r\n':
            raise UsageError(f"`separator: {separator!r}` is not one character other than a quote")
        self._out = out
        self._columns = [(field.name, isinstance(field.type, types.Json)) for field in row.fields]
        self._separator = separator
        self._special = re.compile(f'[{re.escape(separator)}"\r\n]')
        self._write(row.names())

    def put(self, record: Values) -> None:
        self._write([_cell(record.get(name), name, loose) for name, loose in self._columns])

    def close(self) -> None:
        pass

    def _write(self, cells: Iterable[str]) -> None:
        # A line of one empty cell would be a blank line, which is none.
        line = self._separator.join(map(self._quoted, cells)) or '""'
        self._out.write(f"{line}\n".encode())

    def _quoted(self, cell: str) -> str:
        """RFC 4180, where line ends of any kind are quoted."""
        return '"' + cell.replace('"', '""') + '"' if self._special.search(cell) else cell


def _cell(value: Any, name: str, loose: bool) -> str:
    if value is None:
        return ""
    try:
        data = encode(value).decode()
    except Misfit as wrong:
        raise Misfit(field_path(name) + wrong.path, wrong.message) from None
    if isinstance(value, str) and not (loose and from_text(value, types.JSON) != value):
        return value
    return data
