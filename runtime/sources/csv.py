"""Tables: a record a line, its columns named by the first."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.columns import named, refuse_twins
from dpipe.runtime.sources.encodings import guess_file, shown
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.headers import Header, headers_of

SUFFIXES = (".csv", ".tsv")
_LONGEST = 2**31 - 1
"""Characters of a cell: the csv module has one limit for every table, as a C long."""
_encode = msgspec.json.Encoder().encode

_Lines: TypeAlias = Iterator[tuple[str, list[str] | Unreadable]]


def read(path: str | list[str], separator: str = ",", *, context: Context) -> Reading:
    """Each line's cells by their columns; blank lines are none."""
    if len(separator) != 1 or separator in '"\r\n':
        raise UsageError(f"`separator: {separator!r}` is not one character other than a quote")
    files = find_inputs(path, context.base, SUFFIXES)
    return Reading(
        files,
        lambda: batched(_records(files, separator, context)),
        headers_of(files, context.project, lambda file, name: _columns(file, separator, name)),
    )


def _columns(file: Path, separator: str, name: str) -> Header | None:
    """The names that the first line gives; raises ``OSError`` or ``ValueError``."""
    csv.field_size_limit(_LONGEST)
    with _lines_of(file, separator, name) as (lines, encoding):
        found = next((cells for _, cells in lines if isinstance(cells, list)), None)
    return Header(name, _header(found, encoding)) if found else None


def _records(files: Sequence[Path], separator: str, context: Context) -> Iterator[Read]:
    csv.field_size_limit(_LONGEST)
    for file in files:
        yield from _table(file, separator, display(file, context.project))


def _table(file: Path, separator: str, name: str) -> Iterator[Read]:
    try:
        with _lines_of(file, separator, name) as (lines, encoding):
            yield from _rows(lines, encoding, name)
    except (OSError, ValueError) as e:
        yield Unreadable(name, reason(e))


@contextmanager
def _lines_of(file: Path, separator: str, name: str) -> Iterator[tuple[_Lines, str]]:
    """The lines of a file, and how it is encoded."""
    with file.open("rb") as opened:
        encoding = guess_file(opened)
    with file.open(encoding=encoding, errors="surrogateescape", newline="") as text:
        yield _lines(csv.reader(text, delimiter=separator, strict=True), name), encoding


class _Damaged(Exception):
    """A line that is no line of a table."""


def _lines(reader: Any, name: str) -> _Lines:
    """Each line that is not blank with its place, or what is wrong with it."""
    while True:
        place = f"{name}:{reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as e:
            yield place, Unreadable(place, _told(str(e)))
            continue
        if cells is None:
            return
        if cells:
            yield place, cells


def _told(message: str) -> str:
    if "unexpected end" in message:
        return "a quoted cell begins here and is never closed"
    return f"not a line of a table: {message}"


def _rows(lines: _Lines, encoding: str, name: str) -> Iterator[Read]:
    header: list[str] | None = None
    for place, cells in lines:
        if isinstance(cells, Unreadable):
            yield cells
        elif header is None:
            header = _header(cells, encoding)
        else:
            yield _record(header, cells, place, encoding)
    if header is None:
        yield Unreadable(name, "has no line that names the columns")


def _header(cells: list[str], encoding: str) -> list[str]:
    """The columns' names; raises ``ValueError`` where two are the same or one is no text."""
    names = named(cells)
    if not _identity_of(names):
        raise ValueError(f"the columns' names are not valid {shown(encoding)}")
    refuse_twins(names)
    return names


def _record(header: list[str], cells: list[str], place: str, encoding: str) -> Read:
    if len(cells) != len(header):
        told = f"has {len(cells)} cells, the header {len(header)}"
        return Unreadable(place, told, {"cells": cells})
    identity = _identity_of(cells)
    if identity is None:
        return Unreadable(place, f"not valid {shown(encoding)}", {"cells": cells})
    return Record(dict(zip(header, cells, strict=True)), identity, place, cells=True)


def _identity_of(cells: list[str]) -> bytes | None:
    """The line's raw form; None where bytes of no character are in it."""
    try:
        return _encode(cells)
    except UnicodeEncodeError:
        return None
