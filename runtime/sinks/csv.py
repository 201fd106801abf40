"""Tables: the columns of the row type, a record a line."""

from __future__ import annotations

import csv
from io import StringIO
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
        self._line = StringIO()
        self._writer = csv.writer(self._line, delimiter=separator, lineterminator="\n")
        self._write(list(row.names()))

    def put(self, record: Values) -> None:
        self._write([_cell(record.get(name), name, loose) for name, loose in self._columns])

    def close(self) -> None:
        pass

    def _write(self, cells: list[str]) -> None:
        self._line.seek(0)
        self._line.truncate()
        self._writer.writerow(cells)
        self._out.write(self._line.getvalue().encode())


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
