"""Pages about the bundled modules, made of their own text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dpipe.lang import bundled


def page(name: str, text: str) -> Iterator[str]:
    """The lines of the page of ``std.NAME``."""
    yield f"# `std.{name}`\n"
    yield from _prose(bundled.head(text))
    for section in bundled.sections(text):
        yield f"## `{section.name}`\n"
        yield from _prose(section.comment)
        yield _fenced(section.signature) + "\n"


def summary(text: str) -> str:
    """The first sentence of a module's first comment."""
    return bundled.summary(bundled.head(text))


def _prose(comment: Iterable[str]) -> Iterator[str]:
    """The paragraphs, a blank line behind each."""
    for code, text in bundled.paragraphs(comment):
        yield _fenced(text) if code else text
        yield ""


def _fenced(code: str) -> str:
    return f"```text\n{code}\n```"
