"""Cuts a text into pieces of at most a size, each repeating the end of the one before.

Nothing is lost: without what they repeat, the pieces join to the text. Cuts fall between
sentences where they can, else between lines (in code), words, and at last between characters. A
code block is cut only where it does not fit into a piece.

Without a tokenizer tokens are an estimate: six letters of a Latin word, three digits,
three letters of other spaced scripts, one character of unspaced ones and each other sign are a
token. English comes to about four characters a token, Chinese to one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from dpipe.runtime.sections import LINE, Span, lines, sections
from dpipe.runtime.sentences import boundaries
from dpipe.runtime.text import UNSPACED

_TOKEN = re.compile(
    rf"[{UNSPACED}]|[a-zA-Z]{{1,6}}|\d{{1,3}}|(?:(?![{UNSPACED}])[^\W\da-zA-Z]){{1,3}}|[^\w\s]|_"
)
_WORD = re.compile(rf"[{UNSPACED}]\s*|[^\s{UNSPACED}]+\s*|\s+")


def estimated_tokens(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


Starts = Callable[[str], Sequence[int]]
"""Where each unit of a text starts, in its order."""


class Size(Struct, frozen=True):
    """How large a piece may be: ``most`` units, of which ``overlap`` (fewer) are repeated.

    With ``separators`` a text is cut behind the first of them that gives pieces that fit, else
    behind the next, and so on: sentences and code then count for nothing.
    """

    starts: Starts
    most: int
    overlap: int = 0
    separators: tuple[str, ...] = ()


def size_of(unit: str, most: int, overlap: int = 0) -> Size:
    """So many tokens (estimated), chars or sentences."""
    return Size(UNITS[unit], most, overlap)


def spans(text: str, size: Size) -> list[Span]:
    """The pieces, none of a blank text; each but the first begins with the overlap."""
    if not text.strip():
        return []
    return list(_Cutter(text, size).pieces())


def sections_of(text: str, size: Size) -> list[Span]:
    """Sections together as long as they fit, and one that does not fit alone cut as a text is.

    Pieces of one section overlap, and no others.
    """
    count = _Cutter(text, size).size
    pieces: list[Span] = []
    start = end = 0
    for section in sections(text):
        if start < end and count(start, section.end) > size.most:
            pieces += _within(text, Span(start, end), size)
            start = section.start
        end = section.end
    return pieces + _within(text, Span(start, end), size)


def _within(text: str, part: Span, size: Size) -> list[Span]:
    found = spans(text[part.start : part.end], size)
    return [Span(part.start + start, part.start + end) for start, end in found]


def _blocks(text: str) -> Iterator[tuple[Span, bool]]:
    """Runs of lines that are code, or prose."""
    start = end = 0
    inside = False
    for line, code in lines(text):
        if code != inside:
            if start < end:
                yield Span(start, end), inside
            start, inside = line.start, code
        end = line.end
    yield Span(start, end), inside


def _atoms(text: str) -> Iterator[tuple[Span, bool]]:
    """What is best kept whole: sentences, and code blocks."""
    for block, code in _blocks(text):
        if code:
            yield block, True
            continue
        part = text[block.start : block.end]
        cuts = [0, *boundaries(part), len(part)]
        for start, end in pairwise(cuts):
            yield Span(block.start + start, block.start + end), False


def _matches(pattern: re.Pattern[str]) -> Callable[[str, Span], Iterator[Span]]:
    def parts(text: str, span: Span) -> Iterator[Span]:
        return (Span(*found.span()) for found in pattern.finditer(text, *span))

    return parts


def _token_starts(text: str) -> list[int]:
    return [found.start() for found in _TOKEN.finditer(text)]


def _sentence_starts(text: str) -> list[int]:
    return [span.start for span, _ in _atoms(text)]


UNITS: dict[str, Starts] = {
    "tokens": _token_starts,
    "chars": lambda text: range(len(text)),
    "sentences": _sentence_starts,
}
"""Where each unit of the text starts."""


class _Cutter:
    """Packs atoms into pieces."""

    def __init__(self, text: str, size: Size) -> None:
        self.text = text
        self.starts = size.starts(text)
        self.most = size.most
        self.overlap = size.overlap
        self.separators = size.separators

    def size(self, start: int, end: int) -> int:
        return bisect_left(self.starts, end) - bisect_left(self.starts, start)

    def pieces(self) -> Iterator[Span]:
        """Greedily: a piece takes atoms while they fit, the next begins with the overlap."""
        if self.size(0, len(self.text)) <= self.most:
            yield Span(0, len(self.text))
            return
        start = end = 0
        atom_starts: list[int] = []
        for atom in self.fitting_atoms():
            if self.size(start, atom.end) > self.most and self.parts(start, end, atom.end):
                yield Span(start, end)
                start = self.overlap_start(start, end, atom_starts)
                atom_starts = [at for at in atom_starts if at >= start]
            atom_starts.append(atom.start)
            end = atom.end
        yield Span(start, end)

    def parts(self, start: int, middle: int, end: int) -> bool:
        """Whether there is text on both sides; blanks stay with the piece before them."""
        return bool(self.text[start:middle].strip() and self.text[middle:end].strip())

    def overlap_start(self, start: int, end: int, atom_starts: list[int]) -> int:
        """Where what is repeated begins: at an atom, else at a word, else at a unit."""
        words = (span.start for span in _words(self.text, Span(start, end)))
        for candidates in (atom_starts, words):
            for at in candidates:
                if at > start and 0 < self.size(at, end) <= self.overlap:
                    return at
        if not self.overlap:
            return end
        first = self.starts[bisect_left(self.starts, end) - self.overlap]
        return first if self.size(first, end) <= self.overlap else self.next_start(first)

    def next_start(self, at: int) -> int:
        """Where the next unit starts at another character; the text's end behind the last."""
        following = bisect_right(self.starts, at)
        return self.starts[following] if following < len(self.starts) else len(self.text)

    def fitting_atoms(self) -> Iterator[Span]:
        """Atoms that leave room for the overlap, the large ones cut up."""
        room = self.most - self.overlap
        if self.separators:
            behind = [_behind(separator) for separator in self.separators]
            yield from self.cut_up(Span(0, len(self.text)), room, behind)
            return
        for atom, code in _atoms(self.text):
            levels = (_lines_of, _words) if code else (_words,)
            yield from self.cut_up(atom, room, levels)

    def cut_up(self, span: Span, room: int, levels: Sequence[Level]) -> Iterator[Span]:
        if self.size(*span) <= room:
            yield span
        elif levels:
            for part in levels[0](self.text, span):
                yield from self.cut_up(part, room, levels[1:])
        else:
            yield from self.units_of(span, room)

    def units_of(self, span: Span, room: int) -> Iterator[Span]:
        """A word too long for a piece, cut every ``room`` units, never within a character."""
        start = span.start
        while self.size(start, span.end) > room:
            end = self.starts[bisect_left(self.starts, start) + room]
            end = end if end > start else self.next_start(start)
            if end >= span.end:
                break
            yield Span(start, end)
            start = end
        yield Span(start, span.end)


Level = Callable[[str, Span], Iterator[Span]]


def _behind(separator: str) -> Level:
    """The parts that end with a separator, and the rest."""
    mark = re.escape(separator)
    return _matches(re.compile(f"(?s:.*?)(?:{mark})+|(?s:.+)"))


_lines_of: Level = _matches(LINE)
_words: Level = _matches(_WORD)
