"""Spreadsheets: the columns of the row type, a record a line of one sheet."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import field_path
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.sinks.cells import cell
from dpipe.runtime.values import Values

_LONGEST = 32_767
_MOST = 1_048_576
_EXACT = 2**53
_DATED = re.compile(rb"(<dcterms:\w+[^>]*>)[^<]*")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Xlsx:
    """Numbers and truths as such, texts as they are, null as an empty cell, all else as JSON.

    The file is written when all rows are there. A text that a cell cannot hold is a ``Misfit``.
    """

    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out
        self._columns = row.fields
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("Sheet1")
        self._sheet.append([self._cell(name, name) for name in row.names()])
        self._lines = 1

    def put(self, record: Values) -> None:
        if self._lines == _MOST:
            raise Misfit("", f"a spreadsheet holds {_MOST} lines")
        self._sheet.append([self._value(record.get(field.name), field) for field in self._columns])
        self._lines += 1

    def close(self) -> None:
        made = BytesIO()
        self._book.save(made)
        self._out.write(_without_dates(made))

    def _value(self, value: Any, field: types.Field) -> Any:
        text = cell(value, field)
        if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _EXACT):
            return value
        return self._cell(text, field.name) if text else None

    def _cell(self, text: str, name: str) -> Any:
        if len(text) > _LONGEST:
            raise Misfit(field_path(name), f"a cell holds {_LONGEST} characters, found {len(text)}")
        if found := ILLEGAL_CHARACTERS_RE.search(text):
            raise Misfit(field_path(name), f"a cell cannot hold the character {found[0]!a}")
        made = WriteOnlyCell(self._sheet, text)
        made.data_type = "s"  # and no formula, whatever it begins with
        return made


def _without_dates(made: BytesIO) -> bytes:
    """The same file, whenever it is made."""
    plain = BytesIO()
    with ZipFile(made) as dated, ZipFile(plain, "w") as copy:
        for name in dated.namelist():
            data = dated.read(name)
            if name == "docProps/core.xml":
                data = _DATED.sub(rb"\g<1>1980-01-01T00:00:00Z", data)
            info = ZipInfo(name, _LONG_AGO)
            info.compress_type = ZIP_DEFLATED
            copy.writestr(info, data)
    return plain.getvalue()
