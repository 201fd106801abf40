"""Pages about the bundled modules, made of their own text.

A module's first comment is its page's head, code in it indented. What is declared with a comment
right above it, and a name that others may use, has a section: the signature, then the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, takewhile
from textwrap import dedent

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


def page(name: str, text: str) -> Iterator[str]:
    """The lines of the page of ``std.NAME``."""
    yield f"# `std.{name}`\n"
    yield from _prose(_first_comment(text))
    source = Source(name, text)
    for item in parse_module(source, Bag()).items:
        comment = _above(text, item.span.start)
        if isinstance(item, Declared) and comment and not item.name.text.startswith("_"):
            yield f"## `{item.name.text}`\n"
            yield from _prose(comment)
            yield _fenced(_signature(text, item)) + "\n"


def summary(text: str) -> str:
    """The first sentence of a module's first comment."""
    paragraph = " ".join(takewhile(str.strip, _first_comment(text)))
    return re.split(r"(?<=\.) ", paragraph)[0]


def _first_comment(text: str) -> list[str]:
    found = re.search(r"^dpipe 1\n\n((?:#.*\n)+)", text)
    return [] if found is None else _lines(found[1])


def _above(text: str, start: int) -> list[str]:
    """The lines of the comment that ends right above a declaration."""
    found = re.search(r"(?:^#.*\n)+\Z", text[:start], re.MULTILINE)
    return [] if found is None else _lines(found[0])


def _lines(comment: str) -> list[str]:
    return [line.removeprefix("#").removeprefix(" ") for line in comment.splitlines()]


def _prose(lines: list[str]) -> Iterator[str]:
    """The paragraphs, a blank line behind each; those that are indented are code."""
    paragraphs = "\n".join(lines).split("\n\n")
    for code, found in groupby(paragraphs, lambda paragraph: paragraph.startswith("  ")):
        text = "\n\n".join(found)
        yield _fenced(dedent(text)) if code else text
        yield ""


def _fenced(code: str) -> str:
    return f"```text\n{code}\n```"


def _signature(text: str, item: Declared) -> str:
    """The declaration without what it is made of."""
    return text[item.span.start : _end(text, item)]


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
