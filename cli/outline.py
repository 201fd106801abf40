"""A syntax tree as indented lines: a node's kind, its place, its words, then its parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from dpipe.lang.source import Source, Span


def outline(node: Struct, source: Source, label: str = "", depth: int = 0) -> Iterator[str]:
    """The lines of a node and of all that is in it."""
    parts = [(name, getattr(node, name)) for name in node.__struct_fields__ if name != "span"]
    words = [f"{name}={value!r}" for name, value in parts if _is_word(value)]
    head = f"{label}: " if label else ""
    place = _place(getattr(node, "span", None), source)
    yield "  " * depth + head + " ".join([type(node).__name__ + place, *words])
    for name, value in parts:
        yield from _part(name, value, source, depth + 1)


def _part(label: str, value: Any, source: Source, depth: int) -> Iterator[str]:
    if isinstance(value, Struct):
        yield from outline(value, source, label, depth)
    elif isinstance(value, tuple) and not isinstance(value, Span):
        for element in value:
            if isinstance(element, Struct):
                yield from outline(element, source, label, depth)
            else:
                yield "  " * depth + f"{label}: {element!r}"


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _place(span: Span | None, source: Source) -> str:
    if span is None:
        return ""
    line, column = source.position(span.start)
    return f"@{line}:{column}"
