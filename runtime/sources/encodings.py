"""Which encoding a text has, told from its bytes.

In order: a byte order mark; UTF-16 without one, by its zero bytes; UTF-8; GB18030, whose
characters are pairs of high bytes; Windows-1252 (which holds all printable Latin-1), where
high bytes stand alone. What holds control characters in none of the first three is no text.
Big5, Shift-JIS and EUC are not known: save such files as UTF-8.
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 20
_FURTHEST = 64 << 20
_HIGH = re.compile(rb"[\x80-\xff]")
_LONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SHOWN = {"utf-8-sig": "UTF-8", "gb18030": "GB18030", "cp1252": "Windows-1252"}


class NotText(ValueError):
    """Bytes that are no text; the message says why, in a user's words."""


def decode(data: bytes) -> str:
    """The text that the bytes hold, with line ends as ``\\n``; raises ``NotText``."""
    encoding = guess(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as e:
        raise NotText(f"not valid {shown(encoding)} at byte {e.start}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def guess(sample: bytes) -> str:
    """The encoding of a text that begins so; raises ``NotText``."""
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    if sample.isascii() and 0 not in sample:
        return "utf-8"
    if wide := _utf16(sample):
        return wide
    if _mostly_utf8(sample):
        return "utf-8"
    if _CONTROL.search(sample):
        raise NotText("not a text: it holds bytes of no known encoding")
    return "gb18030" if _is_gb18030(sample) else "cp1252"


def guess_file(file: BinaryIO) -> str:
    """The encoding of an open file, from the first part of it that is not plain ASCII.

    Leaves the file at its start.
    """
    head = sample = file.read(_SAMPLE)
    while sample and sample.isascii() and 0 not in sample and file.tell() < _FURTHEST:
        sample = file.read(_SAMPLE)
    sample += file.readline()  # a character that is cut in two would be no UTF-8
    file.seek(0)
    return guess(head if head.startswith(tuple(mark for mark, _ in _MARKS)) else sample)


def shown(encoding: str) -> str:
    """An encoding's name for people."""
    return _SHOWN.get(encoding, encoding.upper())


def _utf16(sample: bytes) -> str | None:
    """UTF-16 of mostly Latin text has a zero as every other byte."""
    pairs = len(sample) // 2
    if len(sample) % 2 and pairs < 8:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if pairs and odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if pairs and even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return None


def _mostly_utf8(sample: bytes) -> bool:
    """A damaged UTF-8 text is still UTF-8: a few wrong bytes among many right characters."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    return wrong == 0 or len(text) - len(text.encode("ascii", "ignore")) > 2 * wrong


def _is_gb18030(sample: bytes) -> bool:
    lone, high = len(_LONE.findall(sample)), len(_HIGH.findall(sample))
    try:
        codecs.getincrementaldecoder("gb18030")().decode(sample)
    except UnicodeDecodeError:
        return False
    return lone * 4 < high
