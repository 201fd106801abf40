"""Tokens and trees as text, for ``dpipe show`` and for tests that compare them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dpipe.lang import syntax
from dpipe.lang.scan import scan
from dpipe.lang.source import Source


def show_tokens(source: Source) -> str:
    """A line for each token and comment: line, column, kind, text."""
    scanned = scan(source)
    lines = []
    for token in sorted((*scanned.tokens, *scanned.comments), key=lambda token: token.start):
        line, column = source.position(token.start)
        lines.append(f"{line}:{column}\t{token.type}\t{token.text!r}\n")
    return "".join(lines)


def show_tree(module: syntax.Module) -> str:
    """A line for each node, indented: what it is, its plain parts, its offsets."""
    return "".join(f"{line}\n" for line in _node(module, "", 0))


def _node(node: syntax.Node, role: str, depth: int) -> Iterator[str]:
    plain: list[str] = []
    below: list[tuple[str, syntax.Node]] = []
    for field in msgspec.structs.fields(node):
        value = getattr(node, field.name)
        if field.name in ("span", "file"):
            continue
        if isinstance(value, syntax.Name):
            plain.append(f"{field.name}={value.text}")
        elif isinstance(value, syntax.Node):
            below.append((field.name, value))
        elif isinstance(value, tuple) and not hasattr(value, "_fields"):
            below += [(field.name, _as_node(item, node)) for item in value]
        elif value is not None and not hasattr(value, "_fields"):
            plain.append(f"{field.name}={value!r}")
    words = " ".join([type(node).__name__, *plain, f"{node.span.start}..{node.span.end}"])
    yield "  " * depth + (f"{role}: {words}" if role else words)
    for name, child in below:
        yield from _node(child, name, depth + 1)


class _Text(syntax.Node, frozen=True):
    """A literal part of a string."""

    value: str


def _as_node(item: object, parent: syntax.Node) -> syntax.Node:
    return item if isinstance(item, syntax.Node) else _Text(value=str(item), span=parent.span)
