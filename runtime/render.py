"""A value as text, as a placeholder shows it; and what a kind of value is called."""

from __future__ import annotations

import json
from typing import Any

from dpipe.runtime.errors import NoValue


def render(value: Any) -> str:
    """Str as it is, numbers in shortest form, booleans, lists and records as JSON.

    Raises ``NoValue`` for null and for what is no JSON (an image's bytes).
    """
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value)
    if kind is float:
        return _number(value)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        raise NoValue("null has no text")
    return _json(value)


def _number(value: float) -> str:
    """The fewest digits that mean this number: ``3.0`` is ``3``."""
    text = repr(value)
    return str(int(value)) if text.endswith(".0") else text


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise NoValue(f"{kind_of(value)} has no text") from None


def kind_of(value: Any) -> str:
    """What messages call a value: ``a list``, ``null``."""
    if value is None:
        return "null"
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return "a value of Python"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a truth value"),
    ((int, float), "a number"),
    (str, "a text"),
    ((list, tuple), "a list"),
    (dict, "a record"),
    (bytes, "an image"),
)
