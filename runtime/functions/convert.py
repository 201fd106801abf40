"""Conversions between kinds of values: the only ones, nothing converts by itself."""

from __future__ import annotations

import json
import re
from math import inf, isfinite
from typing import Any

import msgspec

from dpipe.runtime.errors import NoValue
from dpipe.runtime.render import kind_of, render
from dpipe.runtime.values import key_of

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SHOWN = 40


def to_str(x: Any) -> str:
    """As a placeholder shows it."""
    return render(x)


def to_int(x: Any) -> int:
    """A whole number: of a text that is one, of a number its part before the point."""
    if isinstance(x, int):
        return int(x)
    number = _number(x, "int")
    if not isinstance(x, str):
        return int(number)
    if not number.is_integer():
        raise _none("int", x)
    return _digits(x, number)


def _digits(text: str, number: float) -> int:
    """Exact, also where a float is not."""
    try:
        return int(text.strip())
    except ValueError:
        return int(number)


def to_float(x: Any) -> float:
    return _number(x, "float")


def _number(x: Any, name: str) -> float:
    if isinstance(x, str):
        if not _NUMBER.fullmatch(x.strip()):
            raise _none(name, x)
    elif not isinstance(x, int | float):
        raise _none(name, x)
    return _finite(x)


def _finite(x: str | float) -> float:
    try:
        number = float(x)
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise NoValue("a number too large")
    return number


def to_bool(x: Any) -> bool:
    """Of a text that says so (true, false, yes, no, 1, 0), and of 0 and other numbers."""
    if isinstance(x, int | float):
        return bool(x)
    found = _TRUTHS.get(x.strip().lower()) if isinstance(x, str) else None
    if found is None:
        raise _none("bool", x)
    return found


def from_json(text: str) -> Any:
    """The value that a JSON text is."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as e:
        raise NoValue(f"not JSON: {e}") from None


def hash_(x: Any) -> str:
    """Sixteen hexadecimal digits that stand for the value; equal values, equal digits."""
    return key_of(json.dumps(_canonical(x), sort_keys=True)).hex()[:16]


def identity(key: bytes) -> str:
    """Sixteen hexadecimal digits that stand for where a row comes from."""
    return key.hex()[:16]


def _canonical(x: Any) -> Any:
    """The value so that equal ones are written alike: whole floats as ints, no null fields."""
    if isinstance(x, float) and x.is_integer():
        return int(x)
    if isinstance(x, dict):
        return {name: _canonical(value) for name, value in x.items() if value is not None}
    return [_canonical(value) for value in x] if isinstance(x, list | tuple) else x


def _none(name: str, x: Any) -> NoValue:
    if not isinstance(x, str):
        return NoValue(f"`{name}` of {kind_of(x)}")
    return NoValue(f'`{name}` of "{x if len(x) <= _SHOWN else x[: _SHOWN - 1] + "…"}"')
