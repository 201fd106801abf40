"""Spreadsheets: a record a line of one sheet, its columns named by the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from warnings import filterwarnings

from openpyxl import load_workbook

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import (
    Context,
    Read,
    Reading,
    Record,
    Unreadable,
    batched,
    identity_of,
)
from dpipe.runtime.sources.columns import named, refuse_twins
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.headers import Header, headers_of
from dpipe.runtime.sources.office import refuse_other_kinds

SUFFIXES = (".xlsx", ".xlsm")

# What openpyxl leaves out (styles, validations, dates beyond the calendar) is no cell's value.
filterwarnings("ignore", module="openpyxl")


def read(path: str | list[str], sheet: str = "", *, context: Context) -> Reading:
    """Each line's cells by their columns, of the sheet with that name, else of the first.

    Cells are read as the declared types; dates are ISO texts, blank lines are none.
    """
    files = find_inputs(path, context.base, SUFFIXES)
    return Reading(
        files,
        lambda: batched(_records(files, sheet, context)),
        headers_of(files, context.project, lambda file, name: _columns(file, sheet, name)),
    )


def _columns(file: Path, sheet: str, name: str) -> Header | None:
    """The names that the first line gives; raises whatever a damaged file makes."""
    with _table(file, sheet) as (title, lines):
        found = next((cells for both in lines if (cells := _texts(*both))), None)
    return Header(f"{name} {title}", _header(found)) if found else None


def _records(files: Sequence[Path], sheet: str, context: Context) -> Iterator[Read]:
    for file in files:
        name = display(file, context.project)
        try:
            with file.open("rb") as opened:
                refuse_other_kinds(opened.read(8), ".xlsx")
        except (OSError, ValueError) as e:
            yield Unreadable(name, reason(e))
            continue
        try:
            yield from _sheet(file, sheet, name)
        except _Unusable as wrong:
            yield Unreadable(name, str(wrong))
        except Exception:  # of whatever kind zipfile, XML and openpyxl make of a damaged file
            yield Unreadable(name, "not a spreadsheet (.xlsx), or damaged")


class _Unusable(Exception):
    """A workbook that has no such table."""


class _Wrong(Exception):
    """A cell without a value that could be read."""


def _sheet(file: Path, sheet: str, name: str) -> Iterator[Read]:
    with _table(file, sheet) as (title, lines):
        yield from _rows(lines, f"{name} {title}")


@contextmanager
def _table(file: Path, sheet: str) -> Iterator[tuple[str, Iterator[tuple[Any, Any]]]]:
    """The sheet's name, and its lines, each with its results and its formulas."""
    with (
        closing(load_workbook(file, read_only=True, data_only=True)) as results,
        closing(load_workbook(file, read_only=True)) as formulas,
    ):
        values = _chosen(results, sheet)
        yield values.title, zip(_lines(values), _lines(formulas[values.title]), strict=True)


def _chosen(book: Any, sheet: str) -> Any:
    sheets = {each.title: each for each in book.worksheets}
    if not sheets:
        raise _Unusable("has no sheet with cells")
    if sheet and sheet not in sheets:
        raise _Unusable(f"has no sheet `{sheet}`; it has {', '.join(f'`{s}`' for s in sheets)}")
    return sheets[sheet] if sheet else next(iter(sheets.values()))


def _lines(sheet: Any) -> Iterator[tuple[Any, ...]]:
    # The size that a file tells of itself is wrong in many.
    sheet.reset_dimensions()
    yield from sheet.iter_rows()


def _rows(lines: Iterator[tuple[Any, Any]], name: str) -> Iterator[Read]:
    header: list[str] | None = None
    for number, (results, formulas) in enumerate(lines, 1):
        place = f"{name}:{number}"
        try:
            cells = _texts(results, formulas)
            if cells and header is None:
                header = _header(cells)
            elif cells and header is not None:
                yield _record(header, cells, place)
        except _Wrong as wrong:
            yield Unreadable(place, str(wrong))
    if header is None:
        yield Unreadable(name, "has no line that names the columns")


def _texts(results: Sequence[Any], formulas: Sequence[Any]) -> list[str]:
    """The cells as texts, empty ones at the end left out."""
    texts = [_text(*both) for both in zip(results, formulas, strict=True)]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _text(result: Any, formula: Any) -> str:
    value = result.value
    if result.data_type == "e":
        raise _Wrong(f"cell {result.coordinate} holds the error {value}")
    if value is None:
        if formula.data_type == "f" and result.data_type == "n":
            raise _Wrong(f"cell {formula.coordinate} holds a formula that was never calculated")
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _header(cells: Sequence[str]) -> list[str]:
    names = named(cells)
    try:
        refuse_twins(names)
    except ValueError as twins:
        raise _Unusable(str(twins)) from None
    return names


def _record(header: list[str], cells: list[str], place: str) -> Read:
    if len(cells) > len(header):
        return Unreadable(place, f"has {len(cells)} cells, the header {len(header)}")
    cells = cells + [""] * (len(header) - len(cells))
    values = dict(zip(header, cells, strict=True))
    return Record(values, identity_of(cells), place, cells=True)
