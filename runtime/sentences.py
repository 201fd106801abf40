"""Where sentences end, in Markdown or plain text of any language.

A boundary is an offset: the next sentence starts there, and the blanks between two belong to the
first. Sentences cover the text, so nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_CLOSERS = "\"'”’»)\\]"
_BOUNDARY = re.compile(
    rf"(?<![.!?…])(?P<stop>[.!?…]+)[{_CLOSERS}]*\s+"  # a stop, then a blank
    r"|[。！？!?…｡]+[”’」』】）)\"]*\s*"  # an East Asian stop needs none
    r"|\n[ \t]*\n\s*"  # an empty line
    r"|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)]|#{1,6})[ \t])"  # a list item or heading begins
    r"|(?<=\n)#{1,6}[ \t][^\n]*\n\s*"  # a heading ends
    r"|\A#{1,6}[ \t][^\n]*\n\s*"
)
_ABBREVIATIONS = frozenset({
    "abb", "al", "approx", "apr", "art", "aug", "bd", "bzw", "ca", "capt", "cf", "ch", "co",
    "col", "corp", "d.h", "dec", "dept", "dr", "e.g", "ed", "eds", "eg", "eq", "eqs", "est",
    "feb", "fig", "figs", "gen", "hon", "i.e", "ie", "inc", "jan", "jr", "jul", "jun", "lt",
    "ltd", "mar", "mr", "mrs", "ms", "no", "nos", "nov", "nr", "oct", "p", "pp", "prof", "rev",
    "sec", "sep", "sept", "sgt", "sr", "st", "u.a", "univ", "vol", "vs", "z.b",
})  # fmt: skip
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*\Z")
_TAIL = 24


def sentences(text: str) -> list[str]:
    """The sentences with the blanks behind them; joined they are the text."""
    cuts = [0, *boundaries(text), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def boundaries(text: str) -> Iterator[int]:
    """The offsets at which a sentence starts, but for 0 and the end."""
    for found in _BOUNDARY.finditer(text):
        if found.end() < len(text) and _ends(text, found):
            yield found.end()


def _ends(text: str, found: re.Match[str]) -> bool:
    """Whether a stop ends a sentence: not after ``Dr.``, an initial or ``1.``, nor midway."""
    stop = found["stop"]
    if stop is None or "\n\n" in found[0]:
        return True
    if text[found.end()].islower():
        return False
    if stop != ".":
        return True
    word = _word_before(text, found.start())
    return not (word.lower() in _ABBREVIATIONS or _is_initial(word) or _is_item(text, found, word))


def _word_before(text: str, end: int) -> str:
    tail = text[max(0, end - _TAIL) : end]
    found = _LAST_WORD.search(tail)
    return found[0] if found else ""


def _is_initial(word: str) -> bool:
    """``J`` of ``J. Smith``, ``U.S`` of ``U.S.``; ``I`` is a word."""
    letters = word.split(".")
    return word != "I" and all(len(letter) == 1 and letter.isupper() for letter in letters)


def _is_item(text: str, found: re.Match[str], word: str) -> bool:
    """The number of a list item, at the start of its line."""
    line = text.rfind("\n", 0, found.start()) + 1
    return word.isdigit() and text[line : found.start()].strip() == word
