"""A bundled module as a handbook: its own comments, and the declarations that others may use.

A module's first comment is its head, code in it indented. What is declared with a comment right
above it, and a name that others may use, is a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile
from textwrap import dedent

from msgspec import Struct

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Bag
from dpipe.lang.parse import parse_module
from dpipe.lang.source import Source, Span

Declared = (
    syntax.TypeItem
    | syntax.ParamItem
    | syntax.DefItem
    | syntax.ExternItem
    | syntax.PromptItem
    | syntax.PipeItem
)


class Section(Struct, frozen=True):
    """A declaration: its name, its text without what it is made of, and the comment above it."""

    name: str
    signature: str
    comment: tuple[str, ...]


def sections(text: str) -> Iterator[Section]:
    """What a module has for others, in its order."""
    for item in parse_module(Source("", text), Bag()).items:
        comment = _above(text, item.span.start)
        if isinstance(item, Declared) and comment and not item.name.text.startswith("_"):
            signature = text[item.span.start : _end(text, item)]
            yield Section(item.name.text, signature, tuple(comment))


def head(text: str) -> list[str]:
    """The lines of a module's first comment."""
    found = re.search(r"^dpipe 1\n\n((?:#.*\n)+)", text)
    return [] if found is None else _lines(found[1])


def summary(comment: Iterable[str]) -> str:
    """The first sentence of a comment."""
    paragraph = " ".join(takewhile(str.strip, comment))
    return re.split(r"(?<=\.) ", paragraph)[0]


def paragraphs(comment: Iterable[str]) -> Iterator[tuple[bool, str]]:
    """The parts of a comment, each with whether it is code; code has lost its margin."""
    parts = "\n".join(comment).split("\n\n")
    for code, found in groupby(parts, lambda part: part.startswith("  ")):
        text = "\n\n".join(found)
        yield code, dedent(text) if code else text


def _above(text: str, start: int) -> list[str]:
    """The lines of the comment that ends right above a declaration."""
    found = re.search(r"(?:^#.*\n)+\Z", text[:start], re.MULTILINE)
    return [] if found is None else _lines(found[0])


def _lines(comment: str) -> list[str]:
    return [line.removeprefix("#").removeprefix(" ") for line in comment.splitlines()]


def _end(text: str, item: Declared) -> int:
    match item:
        case syntax.TypeItem(span=span):
            return span.end
        case syntax.ParamItem(type=of):
            return of.span.end
        case syntax.PromptItem(result=result) | syntax.DefItem(result=result):
            return result.span.end
        case syntax.ExternItem(result=result) if result is not None:
            return result.span.end
        case _:
            return _closing(text, item.params[-1].span)


def _closing(text: str, last: Span) -> int:
    """Behind the bracket that closes the parameters."""
    return text.index(")", last.end) + 1
