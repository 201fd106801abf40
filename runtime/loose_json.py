"""JSON as models write it: between prose, in code fences, with trailing commas and raw line ends.

Tolerant of what stands around the JSON and of nothing that would change what it says: text that
ends inside an object, or breaks off in it, is no shorter object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import Any

# Not strict: a raw line end inside a string means itself.
_decoder = JSONDecoder(strict=False)
_DEPTH = 200
_ENDED = "it ends before it is complete"
_SPACE = re.compile(r"\s*")
_DIGITS = 400
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))
_SURROGATE = re.compile("[\ud800-\udfff]")
# What opens JSON rather than prose in brackets: `{"`, `{}`, `[`, and a value or the end.
_OPENING = re.compile(r'\{\s*(?:["}]|\Z)|\[\s*(?:["\]\[{]|-?\d|true\b|false\b|null\b|\Z)')


class Broken(ValueError):
    """Text that is not JSON from here on; ``ended`` where it stopped before it was complete."""

    def __init__(self, message: str, at: int, *, ended: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.ended = ended


def values_in(text: str) -> Iterator[Any]:
    """The objects and lists of a text, outermost ones only, in order.

    Raises ``Broken`` where one begins that is not whole: what stands inside it or behind it is
    not looked at.
    """
    at = 0
    while opening := _OPENING.search(text, at):
        try:
            value, at = _value(text, opening.start(), 0)
        except Broken as broken:
            if broken.ended or not _is_prose(text[opening.start() : broken.at]):
                raise
            at = broken.at
        else:
            yield value


def _is_prose(opened: str) -> bool:
    """Whether brackets that broke off here were those of a sentence: ``[2 of them]``."""
    return opened.startswith("[") and not set(opened[1:]) & set('{["')


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise Broken("it is nested too deeply", at)
    match text[at : at + 1]:
        case "{":
            return _object(text, at + 1, depth)
        case "[":
            return _list(text, at + 1, depth)
        case '"':
            return _string(text, at)
        case _:
            return _scalar(text, at)


def _object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    """From behind ``{``; a comma may stand before ``}``."""
    result: dict[str, Any] = {}
    at = _skip(text, at)
    while text[at] != "}":
        key, at = _string(text, _expect(text, at, '"') - 1)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        result[key], at = _value(text, at, depth + 1)
        at = _separator(text, at, "}")
    return result, at + 1


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    """From behind ``[``; a comma may stand before ``]``."""
    result: list[Any] = []
    at = _skip(text, at)
    while text[at] != "]":
        value, at = _value(text, at, depth + 1)
        result.append(value)
        at = _separator(text, at, "]")
    return result, at + 1


def _separator(text: str, at: int, closer: str) -> int:
    """The place of the next element, or of the closer."""
    at = _skip(text, at)
    return at if text[at] == closer else _skip(text, _expect(text, at, ",", closer))


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = _decoder.raw_decode(text, at)
    except JSONDecodeError as error:
        if error.msg.startswith("Unterminated"):
            raise Broken(_ENDED, error.pos, ended=True) from None
        raise Broken(_told(text, error.pos, "a string is wrong"), error.pos) from None
    if _SURROGATE.search(value):
        raise Broken(_told(text, at, "half a surrogate pair"), at)
    return value, end


def _scalar(text: str, at: int) -> tuple[Any, int]:
    if word := _WORD.match(text, at):
        return _WORDS[word[0]], word.end()
    number = _NUMBER.match(text, at)
    if number is None:
        raise Broken(_told(text, at, "no JSON value"), at)
    digits = number[0]
    value = float(digits) if set(digits) & set(".eE") or len(digits) > _DIGITS else int(digits)
    if not isfinite(value):
        raise Broken(_told(text, at, "a number out of range"), at)
    return value, number.end()


def _skip(text: str, at: int) -> int:
    """The next place that is no space; inside brackets the text may not end."""
    space = _SPACE.match(text, at)
    end = space.end() if space else at
    if end >= len(text):
        raise Broken(_ENDED, end, ended=True)
    return end


def _expect(text: str, at: int, *wanted: str) -> int:
    if text[at] != wanted[0]:
        raise Broken(_told(text, at, " or ".join(f"`{each}`" for each in wanted) + " missing"), at)
    return at + 1


def _told(text: str, at: int, what: str) -> str:
    near = " ".join(text[max(0, at - 20) : at + 20].split())
    line = text.count("\n", 0, at) + 1
    return f"{what} on line {line} near `{near}`"
