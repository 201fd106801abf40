"""What `dpipe explain std`, `std.text` and `text.clean` print: the bundled modules."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import click

from dpipe.lang import bundled
from dpipe.project import bundled as names


def lines_of(name: str, width: int) -> Iterator[str] | None:
    """The page of a module, of what it has, or of all of them; None where there is none."""
    if name == "std":
        return _all(width)
    module, _, member = name.removeprefix("std.").partition(".")
    if module not in names() or (not member and not name.startswith("std.")):
        return None
    if not member:
        return _module(module, width)
    found = [section for section in bundled.sections(_text(module)) if section.name == member]
    return _section(module, found[0], width) if found else None


def known() -> Iterator[str]:
    """All names that have a page."""
    yield "std"
    for module in names():
        yield f"std.{module}"
        yield from (f"{module}.{section.name}" for section in bundled.sections(_text(module)))


def _text(module: str) -> str:
    return (resources.files("dpipe.stdlib") / f"{module}.dpipe").read_text("utf-8")


def _all(width: int) -> Iterator[str]:
    yield f"{click.style('std', bold=True)} (the bundled modules)"
    yield ""
    for module in names():
        yield f"  std.{module}"
        yield from _wrapped(bundled.summary(bundled.head(_text(module))), width, "    ")


def _module(module: str, width: int) -> Iterator[str]:
    text = _text(module)
    yield f"{click.style(f'std.{module}', bold=True)} (module)"
    yield from _prose(bundled.head(text), width)
    for section in bundled.sections(text):
        yield from ("", f"  {module}.{section.name}")
        yield from _wrapped(bundled.summary(section.comment), width, "    ")


def _section(module: str, section: bundled.Section, width: int) -> Iterator[str]:
    yield f"{click.style(f'{module}.{section.name}', bold=True)} (of std.{module})"
    yield from _prose(section.comment, width)
    yield from ("", *(f"  {line}" for line in section.signature.splitlines()))


def _prose(comment: list[str] | tuple[str, ...], width: int) -> Iterator[str]:
    for code, text in bundled.paragraphs(comment):
        yield ""
        yield from (f"  {line}" for line in text.splitlines()) if code else _wrapped(text, width)


def _wrapped(text: str, width: int, margin: str = "") -> list[str]:
    return click.wrap_text(" ".join(text.split()), width, margin, margin).splitlines()
