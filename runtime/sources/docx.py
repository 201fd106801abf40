"""Word documents: paragraphs, headings, lists and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from docx import Document
from docx.table import Table

from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.files import read_each
from dpipe.runtime.sources.office import refuse_other_kinds

SUFFIXES = (".docx",)
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_MARKS = {"title": "# ", "list bullet": "- ", "list number": "1. "}


def read(path: str | list[str], empty: str = "reject", *, context: Context) -> Reading:
    """Each document's text in its order; headers, footers and notes are no part of it."""
    return read_each(path, SUFFIXES, context, text_of, empty)


def text_of(data: bytes) -> str:
    refuse_other_kinds(data, ".docx")
    try:
        return "\n".join(_lines(Document(BytesIO(data)))).strip()
    except Exception:  # of whatever kind zipfile, lxml and python-docx make of a damaged file
        raise ValueError("not a Word document, or damaged") from None


def _lines(document: Any) -> Iterator[str]:
    """The blocks, a blank line apart but for the items of a list."""
    before = ""
    for block in document.iter_inner_content():
        mark = "" if isinstance(block, Table) else _mark(block.style)
        text = _table(block) if isinstance(block, Table) else block.text.strip()
        if text:
            if not (mark == before and mark in ("- ", "1. ")):
                yield ""
            yield mark + text
            before = mark


def _mark(style: Any) -> str:
    """What goes before a paragraph of this style, or of one that is based on it."""
    while style is not None:
        name = (style.name or "").lower()
        if found := _HEADING.match(name):
            return "#" * min(int(found[1]), 6) + " "
        for start, mark in _MARKS.items():
            if name.startswith(start):
                return mark
        style = style.base_style
    return ""


def _table(table: Table) -> str:
    """The table as Markdown has it, the first row as its head."""
    rows = [_cells(row) for row in table.rows]
    width = max(map(len, rows), default=0)
    lines = [_row(cells + [""] * (width - len(cells))) for cells in rows]
    return "\n".join([*lines[:1], _row(["---"] * width), *lines[1:]]) if width else ""


def _cells(row: Any) -> list[str]:
    """The cells' texts; one that spans several columns or rows is told once."""
    texts, seen = [], set[Any]()
    for cell in row.cells:
        texts.append("" if cell._tc in seen else " ".join(cell.text.split()).replace("|", "\\|"))
        seen.add(cell._tc)
    return texts


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
