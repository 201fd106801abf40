"""Markdown text by its headings: lines, sections, and the headings over a place.

Headings are those of ``#``, outside code blocks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise, starmap
from typing import NamedTuple

LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_CLOSING = re.compile(r"(?:^|[ \t]+)#+$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class Span(NamedTuple):
    """A part of the text, as offsets."""

    start: int
    end: int


def lines(text: str) -> Iterator[tuple[Span, bool]]:
    """The lines, and whether each belongs to a fenced code block; one may end with the text."""
    fence = ""
    for found in LINE.finditer(text):
        mark = _FENCE.match(text, found.start(), found.end())
        yield Span(*found.span()), bool(fence or mark)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not text[mark.end() : found.end()].strip():
            fence = ""


def sections(text: str) -> list[Span]:
    """A piece for each section; a heading without text stands with what follows it."""
    if not text.strip():
        return []
    pieces: list[Span] = []
    bare = True
    for section in _cut(text):
        if pieces and bare:
            section = Span(pieces.pop().start, section.end)
        pieces.append(section)
        bare = not _body(text[slice(*section)])
    if bare and len(pieces) > 1:
        last = pieces.pop()
        pieces[-1] = Span(pieces[-1].start, last.end)
    return pieces


def _cut(text: str) -> Iterator[Span]:
    starts = (heading.line.start for heading in _headings(text))
    yield from starmap(Span, pairwise(sorted({0, *starts, len(text)})))


def _body(section: str) -> bool:
    """Whether a piece holds more than headings."""
    return any(line.strip() and not _HEADING.match(line) for line in section.split("\n"))


class _Heading(NamedTuple):
    line: Span
    level: int
    words: str


def _headings(text: str) -> Iterator[_Heading]:
    for line, code in lines(text):
        mark = None if code else _HEADING.match(text, *line)
        if mark is not None:
            words = text[mark.end() : line.end].strip()
            yield _Heading(line, len(mark[1]), _CLOSING.sub("", words).strip())


class Outline:
    """The headings of a text, each with those that it stands under."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: list[Span] = []
        self._over: list[tuple[str, ...]] = []
        path: list[_Heading] = []
        for heading in _headings(text):
            path = [outer for outer in path if outer.level < heading.level] + [heading]
            self._lines.append(heading.line)
            self._over.append(tuple(outer.words for outer in path if outer.words))

    def over(self, piece: Span) -> list[str]:
        """The headings over a piece's first words that are none; outermost first."""
        at = self._last(piece.start)
        while at + 1 < len(self._lines) and self._begins_with(piece, at):
            at += 1
        return [] if at < 0 else list(self._over[at])

    def _last(self, offset: int) -> int:
        """The last heading that begins at the offset or before; -1 for none."""
        return bisect_right(self._lines, offset, key=lambda line: line.start) - 1

    def _begins_with(self, piece: Span, at: int) -> bool:
        """Whether only blanks stand between a heading, or the piece's start, and the next one."""
        start = max(piece.start, self._lines[at].end if at >= 0 else 0)
        end = self._lines[at + 1].start
        return end < piece.end and not self._text[start:end].strip()
