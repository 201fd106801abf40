"""What a prompt gives a stand-in to work with: the sentences of its data, how many are wanted."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from dpipe.runtime.models.protocol import Message, Request, TextPart

_TAGGED = re.compile(r"<([^\W\d][\w-]*)>\s*(.*?)\s*</\1>", re.DOTALL)
_FENCED = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)[^\n]*$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|\d+[.)])[ \t])|\n(?=[ \t]*[#|>])")
_MARKER = re.compile(r"\s*(?:(?:[-*+]|\d+[.)])\s+|>\s*)+")
_NO_PROSE = re.compile(r"\s*(?:#|\||---|===|<|!\[)")
_SENTENCE = re.compile(
    r"""[^\s].*?(?:[.!?]["')\]”’]*(?=\s+["“(\[`*A-Z\d]|\s*\Z)|[。！？；]["”』」]*|\Z)""", re.DOTALL
)
_TICKED = re.compile("`[^`]*`")
_CODE = re.compile(r'[{}|`]|->|=>|"""|://|[\w.]\([\w."]|^\W*\w+(?: \w+)? = ')
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_DIGITS = "二三四五六七八九十"
_COUNT = re.compile(
    r"\b(?:write|give|list|generate|create|make|produce|propose|name|return|draft|in)\s+"
    rf"(?:me\s+)?(?:exactly\s+|about\s+|up to\s+)?(\d{{1,2}}|{'|'.join(_NUMBERS)})\b"
    rf"|(\d{{1,2}}|[两{_DIGITS}])\s*(?:个|個|条|條|道|组|組|对|對|种|種|句)",
    re.IGNORECASE,
)
_SHORTEST, _SHORTEST_CJK, _LONGEST = 40, 8, 400


class Passage(Struct, frozen=True):
    """``sentences`` are verbatim parts of the prompt; ``count`` is the number that it asks for."""

    sentences: tuple[str, ...]
    count: int | None


def passage_of(request: Request) -> Passage:
    """The data of a prompt, told from its instructions where it is delimited."""
    if request.raw is not None:
        return Passage((), None)
    texts = [text_of(m) for m in request.messages if m.role == "user"]
    if not texts:
        texts = [text_of(m) for m in request.messages]
    return _passage(max(texts, key=len, default=""))


def text_of(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n\n".join(part.text for part in message.content if isinstance(part, TextPart))


def is_cjk(text: str) -> bool:
    """Whether a text is written without spaces between words."""
    return len(_CJK.findall(text)) * 3 > len(text)


@lru_cache(maxsize=512)
def _passage(text: str) -> Passage:
    data, instructions = _delimited(text)
    return Passage(tuple(sentences(data)), _count(instructions))


def _delimited(text: str) -> tuple[str, str]:
    """Data and instructions: the longest tagged part and the rest, else the longest paragraph."""
    tagged = max(_TAGGED.finditer(text), key=lambda match: len(match[2]), default=None)
    if tagged is not None and tagged[2]:
        return tagged[2], text[: tagged.start()] + text[tagged.end() :]
    paragraphs = re.split(r"\n\s*\n", text)
    if len(paragraphs) == 1:
        return text, text
    data = max(paragraphs[1:], key=len)
    return data, text.replace(data, "")


def _count(instructions: str) -> int | None:
    match = _COUNT.search(instructions)
    if match is None:
        return None
    written = (match[1] or match[2]).lower()
    if written.isdecimal():
        return int(written) or None
    if written in _NUMBERS:
        return _NUMBERS.index(written) + 2
    return 2 if written == "两" else _DIGITS.index(written) + 2


def sentences(text: str) -> list[str]:
    """The sentences of a text as they stand there: no headings, tables or code if it can be."""
    found = [
        match[0].strip()
        for part in _FENCED.split(text)
        for block in _BLOCK.split(part)
        if not _NO_PROSE.match(block)
        for match in _SENTENCE.finditer(_without_marker(block))
    ]
    good = [each for each in found if _is_good(each)]
    if good:
        return list(dict.fromkeys(good))
    lines = (line.strip(" #>|*-\t") for line in text.splitlines())
    return list(dict.fromkeys(line[:_LONGEST] for line in lines if line))


def _without_marker(block: str) -> str:
    marker = _MARKER.match(block)
    return block[marker.end() :] if marker else block


def _is_good(sentence: str) -> bool:
    """Whether it is a sentence of some length and no code."""
    shortest = _SHORTEST_CJK if is_cjk(sentence) else _SHORTEST
    fits = shortest <= len(sentence) <= _LONGEST
    return fits and not _CODE.search(_TICKED.sub("", sentence))
