"""Spreadsheets: the columns of the row type, a record a line of a sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import count
from typing import Any, TypeAlias
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from dpipe.lang import types
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import field_path
from dpipe.runtime.render import render
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.sinks.cells import cell
from dpipe.runtime.values import Values

Cell: TypeAlias = tuple[Any, str]
"""What a cell holds, and its kind as the format has it: a number, a truth or a text."""

_LONGEST = 32_767
_MOST = 1_048_576
_TITLE = 31
_ONLY = "Sheet1"
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_EXACT = 2**53
_DATED = re.compile(rb"(<dcterms:\w+[^>]*>)[^<]*")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Xlsx:
    """Numbers and truths as such, texts as they are, null as an empty cell, all else as JSON.

    ``sheet`` is the field whose value is the sheet that a row stands in; it is no column.
    The file is made when all rows are there. A text that a cell cannot hold is a ``Misfit``.
    """

    def __init__(self, out: Out, row: types.Record, sheet: str = "") -> None:
        if sheet and row.get(sheet) is None:
            raise UsageError(f'`sheet: "{sheet}"` is no field of the row')
        self._out = out
        self._field = sheet
        self._row = row.without([sheet])
        self._sheets = {name: self._begun() for name in _known(row.get(sheet), sheet)}

    def put(self, record: Values) -> None:
        line = [_cell(record.get(field.name), field) for field in self._row.fields]
        lines = self._lines(record)
        if len(lines) == _MOST:
            raise Misfit("", f"a sheet holds {_MOST} lines")
        lines.append(line)

    def close(self) -> None:
        book = Workbook(write_only=True)
        sheets = self._sheets or {_ONLY: self._begun()}
        for title, lines in zip(titles(sheets), sheets.values(), strict=True):
            sheet = book.create_sheet(title)
            for line in lines:
                sheet.append([_made(sheet, *each) for each in line])
        made = BytesIO()
        book.save(made)
        self._out.write(_without_dates(made))

    def _lines(self, record: Values) -> list[list[Cell]]:
        """The lines of a record's sheet."""
        if not self._field:
            return self._sheets[_ONLY]
        value = record.get(self._field)
        if value is None:
            raise Misfit(field_path(self._field), "it names the sheet, found null")
        return self._sheets.setdefault(render(value), self._begun())

    def _begun(self) -> list[list[Cell]]:
        return [[_words(name, name) for name in self._row.names()]]


def _known(of: types.Type | None, field: str) -> tuple[str, ...]:
    """The sheets that are there even without rows; a spreadsheet has one at least."""
    if not field:
        return (_ONLY,)
    return of.values if isinstance(of, types.Enum) else ()


def titles(values: Iterable[str]) -> list[str]:
    """What the sheets are called: as their values, made such as spreadsheets take, none twice."""
    found: list[str] = []
    taken: set[str] = set()
    for value in values:
        plain = _FORBIDDEN.sub("_", value).strip("'") or "_"
        numbered = (plain[: _TITLE - len(end)] + end for end in _endings())
        title = next(each for each in numbered if each.lower() not in taken)
        taken.add(title.lower())
        found.append(title)
    return found


def _endings() -> Iterator[str]:
    yield ""
    yield from (f" {number}" for number in count(2))


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
