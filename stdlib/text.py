"""The Python behind ``std.text``."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b\ufeff]")
_HYPHENATED = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_TRAILING = re.compile(r"[^\S\n]+$", re.MULTILINE)
_BLANKS = re.compile(r"(?<=\S)[^\S\n]+")
_GAPS = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """The text without what its file left in it; its words, lines and indentation stay.

    Line ends become ``\\n``, ligatures and special blanks their plain form, control
    characters and soft hyphens go, words cut at a line's end are joined, runs
    of blanks inside a line become one, more than one empty line becomes one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    text = _CONTROL.sub("", unicodedata.normalize("NFC", _plain(text)))
    text = _HYPHENATED.sub("", text)
    text = _TRAILING.sub("", text)
    return _GAPS.sub("\n\n", _BLANKS.sub(" ", text)).strip()


_LIGATURES = {ord(c): unicodedata.normalize("NFKC", c) for c in "ﬀﬁﬂﬃﬄﬅﬆ\u00a0\u202f\u2007"}


def _plain(text: str) -> str:
    return text.translate(_LIGATURES)
