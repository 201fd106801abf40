"""What `dpipe explain NAME` prints: whatever is built in, words of the language, modules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from itertools import groupby

import click

from dpipe.cli import modules
from dpipe.lang.manual import Entry, entries, in_signature, label, signature
from dpipe.lang.signatures import Param
from dpipe.lang.spell import nearest

_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def lines_of(name: str, width: int) -> Iterator[str] | None:
    """The pages of a built-in name, one below another; None where nothing has it."""
    found = [entry for entry in _all() if entry.name == name]
    return _pages(found, width) if found else modules.lines_of(name, width)


def near(name: str) -> str | None:
    return nearest(name, [*(entry.name for entry in _all()), *modules.known()])


@cache
def _all() -> tuple[Entry, ...]:
    return tuple(entries((resources.files("dpipe.stdlib") / "builtins.dpipe").read_text("utf-8")))


def _pages(found: Sequence[Entry], width: int) -> Iterator[str]:
    for number, (kind, alike) in enumerate(groupby(found, lambda entry: entry.kind)):
        if number:
            yield ""
        yield f"{click.style(found[0].name, bold=True)} ({kind})"
        for entry in alike:
            yield from _page(entry, width)


def _page(entry: Entry, width: int) -> Iterator[str]:
    yield from ("", *_wrapped(entry.doc, width), "")
    yield from _signature(entry, width)
    if entry.gives:
        yield from ("", *_wrapped(f"{entry.gives} (R is the row before it.)", width))
    if entry.params:
        yield from _table([(label(param), _told(entry, param)) for param in entry.params], width)
        if any(param.doc.endswith(")") for param in entry.params):
            yield from ("", "In brackets: what is taken where an argument is left out.")
    if entry.methods:
        ways = [(signature(way.name, way.params), way.doc) for way in entry.methods]
        yield from _table(ways, width)


def _signature(entry: Entry, width: int) -> Iterator[str]:
    if not entry.params or len(entry.signature) + 2 <= width:
        yield from (f"  {line}" for line in entry.signature.splitlines())
        return
    yield f"  {entry.name}("
    yield from (f"    {in_signature(param)}," for param in entry.params)
    yield f"  ){entry.signature.rpartition(')')[2]}"


def _told(entry: Entry, param: Param) -> str:
    """A stage's constant sees no row; all that a model takes is constant."""
    constant = entry.kind == "stage" and param.kind == "const"
    return f"{param.doc}; a constant" if constant else param.doc


def _table(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    yield ""
    indent = min(max(len(name) for name, _ in rows), 24) + 4
    for name, doc in rows:
        first, *rest = _wrapped(doc, max(width - indent, 30)) or [""]
        if len(name) + 3 < indent:
            yield f"  {name}".ljust(indent) + first
        else:
            yield f"  {name}"
            yield " " * indent + first
        yield from (" " * indent + line for line in rest)


def _wrapped(text: str, width: int) -> list[str]:
    return click.wrap_text(_LINK.sub(r"\1", text), width).splitlines()
