"""Text as it is counted and compared, in any language.

Chinese, Japanese, Thai, Lao, Khmer and Burmese write no blanks between words. There a character
is the unit that is counted, compared and cut at.
"""

from __future__ import annotations

import re
import unicodedata

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"  # Chinese characters
    "\U00020000-\U0003ffff"
)
"""The inside of a character class of regular expressions."""

_SPACED = rf"(?:(?![{UNSPACED}])\w)+(?:['’\-](?:(?![{UNSPACED}])\w)+)*"
_WORD = re.compile(rf"[{UNSPACED}]|{_SPACED}")
_RUN = re.compile(rf"[{UNSPACED}]+|{_SPACED}")
_UNSPACED = re.compile(rf"[{UNSPACED}]")


def words(text: str) -> list[str]:
    """The words in order, without what stands between them: ``don't`` and ``re-use`` are one."""
    return _WORD.findall(text)


def terms(text: str) -> list[str]:
    """The words to search by; where words are not spaced, every two characters in a row."""
    found: list[str] = []
    for run in _RUN.findall(text):
        if len(run) > 1 and _UNSPACED.match(run):
            found += [run[at : at + 2] for at in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def folded(text: str) -> str:
    """The text in one case and width, every run of blanks as one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
