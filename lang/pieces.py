"""What the stretches of a file were read as, kept for the time when it has changed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import Any, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import fields, force_setattr

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Diagnostic
from dpipe.lang.source import Span

_PLAIN = frozenset((str, int, float, bool, type(None)))


class Piece(Struct, frozen=True):
    """The declarations of a stretch that begins at ``start``, and what is wrong with them."""

    start: int
    items: tuple[syntax.Item, ...]
    findings: tuple[Diagnostic, ...]

    def moved(self, start: int) -> Piece:
        """The same, where the stretch begins elsewhere."""
        by = start - self.start
        return Piece(start, moved(self.items, by), moved(self.findings, by)) if by else self


Pieces: TypeAlias = Mapping[str, Piece]
"""The pieces of a file by their text."""


def moved(value: Any, by: int) -> Any:
    """A value with all its places so many characters further on."""
    kind = type(value)
    if kind is Span:
        return Span(value.file, value.start + by, value.end + by)
    if kind is tuple:
        return tuple([moved(part, by) for part in value])
    if not isinstance(value, Struct):
        return value
    found = copy(value)
    for name in _places(type(value)):
        force_setattr(found, name, moved(getattr(value, name), by))
    return found


@cache
def _places(kind: type[Struct]) -> tuple[str, ...]:
    """The fields that hold places, or may."""
    found = [(field.name, set(get_args(field.type)) or {field.type}) for field in fields(kind)]
    return tuple(name for name, types in found if not types <= _PLAIN)
