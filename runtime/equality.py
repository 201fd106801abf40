"""When two values are equal: by structure, numbers by value, a bool never a number.

A field that is absent and one that is null read alike, so records are equal without regard to it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

_PLAIN = frozenset({str, int, float, bytes, type(None)})
_LISTS = frozenset({list, tuple})


def equal(a: Any, b: Any) -> bool:
    """``a == b`` as the language has it."""
    kind, other = a.__class__, b.__class__
    if kind in _PLAIN and other in _PLAIN:
        return bool(a == b)
    if kind is dict and other is dict:
        return all(equal(a.get(name), b.get(name)) for name in a.keys() | b.keys())
    if kind in _LISTS and other in _LISTS:
        return len(a) == len(b) and all(map(equal, a, b))
    return kind is other and bool(a == b)


def frozen(value: Any) -> Hashable:
    """A key for sets and dicts: two values have the same one if and only if they are equal."""
    kind = value.__class__
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind in _LISTS:
        return (list, *map(frozen, value))
    if kind is dict:
        return (dict, frozenset((k, frozen(v)) for k, v in value.items() if v is not None))
    return (kind, value)
