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

_WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])\w)+(?:['’\-](?:(?![{UNSPACED}])\w)+)*")


def words(text: str) -> list[str]:
    """The words in order, without what stands between them: ``don't`` and ``re-use`` are one."""
    return _WORD.findall(text)


def folded(text: str) -> str:
    """The text in one case and width, every run of blanks as one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
