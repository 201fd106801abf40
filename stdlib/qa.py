"""The Python behind ``std.qa``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_WORD = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff]{3,}")
_SHORTEST_STEM = 4

_COMMON = frozenset((
    "the", "and", "for", "are", "was", "were", "has", "have", "had", "not", "but", "its",
    "his", "her", "our", "their", "this", "that", "these", "those", "with", "from", "into",
    "about", "over", "under", "what", "when", "where", "which", "who", "whom", "how", "why",
    "does", "did", "can", "will", "they", "them", "you", "your", "she", "him", "all", "any",
))  # fmt: skip
"""Words that every English text has: meeting in them says nothing."""

_PARTICLES = frozenset("的了是在和与及或等之其这那有为以于对被把也都就而中上下个")
"""Characters that Chinese texts have whatever they are about."""


def touches(text: str, topics: Sequence[str]) -> bool:
    """Whether the text has a word of one of the topics; true where no topic has a word.

    Words are compared by their stems, Chinese by every two characters in a row.
    """
    wanted = [_plain(topic) for topic in topics]
    names = {word for topic in wanted for word in _words(topic)}
    pairs = {pair for topic in wanted for pair in _pairs(topic)}
    if not names and not pairs:
        return True
    text = _plain(text)
    return bool(pairs & _pairs(text)) or any(
        _akin(name, word) for name in names for word in _words(text)
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text)) - _COMMON


def _pairs(text: str) -> set[str]:
    """Every two Chinese characters in a row, but for those with a particle."""
    found = {run[at : at + 2] for run in _HAN.findall(text) for at in range(len(run) - 1)}
    return {pair for pair in found if not _PARTICLES.intersection(pair)}


def _akin(a: str, b: str) -> bool:
    """Equal, or one the other with an ending: ``tide`` and ``tides``."""
    short, long = sorted((a, b), key=len)
    return a == b or (len(short) >= _SHORTEST_STEM and long.startswith(short))
