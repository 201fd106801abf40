"""Spreadsheets: the columns of the row type, a record a line of one sheet."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any, TypeAlias
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

Cell: TypeAlias = tuple[Any, str]
"""What a cell holds, and its kind as the format has it: a number, a truth or a text."""

_LONGEST = 32_767
_MOST = 1_048_576
_EXACT = 2**53
_DATED = re.compile(rb"(<dcterms:\w+[^>]*>)[^<]*")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Xlsx:
    """Numbers and truths as such, texts as they are, null as an empty cell, all else as JSON.

    The file is made when all rows are there. A text that a cell cannot hold is a ``Misfit``.
    """

    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out
        self._columns = row.fields
        self._lines = [[_words(name, name) for name in row.names()]]

    def put(self, record: Values) -> None:
        if len(self._lines) == _MOST:
            raise Misfit("", f"a spreadsheet holds {_MOST} lines")
        self._lines.append([_cell(record.get(field.name), field) for field in self._columns])

    def close(self) -> None:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Sheet1")
        for line in self._lines:
            sheet.append([_made(sheet, *each) for each in line])
        made = BytesIO()
        book.save(made)
        self._out.write(_without_dates(made))


def _cell(value: Any, field: types.Field) -> Cell:
    text = cell(value, field)
    if isinstance(value, bool):
        return value, "b"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _EXACT):
        return text, "n"  # all its digits: openpyxl would write fifteen of a float
    return _words(text, field.name) if text else (None, "n")


def _words(text: str, name: str) -> Cell:
    if len(text) > _LONGEST:
        raise Misfit(field_path(name), f"a cell holds {_LONGEST} characters, found {len(text)}")
    if found := ILLEGAL_CHARACTERS_RE.search(text):
        raise Misfit(field_path(name), f"a cell cannot hold the character {found[0]!a}")
    return text, "s"


def _made(sheet: Any, value: Any, kind: str) -> Any:
    made = WriteOnlyCell(sheet, value)
    made.data_type = kind  # a text is no formula, whatever it begins with
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
