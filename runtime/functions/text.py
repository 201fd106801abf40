"""Functions of texts."""

from __future__ import annotations

import re
from functools import lru_cache

from dpipe.runtime.errors import NoValue
from dpipe.runtime.text import words

__all__ = ["compiled", "contains", "extract", "matches", "replace", "split_text", "words"]

Pattern = str | re.Pattern[str]


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern; raises ``NoValue`` where it is none."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as e:
        raise NoValue(f"`{pattern}` is not a regular expression: {e}") from None


def _of(pattern: Pattern) -> re.Pattern[str]:
    return compiled(pattern) if isinstance(pattern, str) else pattern


def contains(s: str, part: str) -> bool:
    return part in s


def matches(s: str, pattern: Pattern) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return _of(pattern).search(s) is not None


def extract(s: str, pattern: Pattern) -> str | None:
    """What the first group found, or the whole pattern if it has no group; null if not found."""
    found = _of(pattern).search(s)
    if found is None:
        return None
    return found[1] if found.re.groups else found[0]


def replace(s: str, part: str, by: str) -> str:
    if not part:
        raise NoValue("`replace` of an empty text")
    return s.replace(part, by)


def split_text(s: str, sep: str) -> list[str]:
    if not sep:
        raise NoValue("`split_text` at an empty text")
    return s.split(sep)
