"""What commands share that look at a program: its text, its findings, its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from dpipe.cli import console

if TYPE_CHECKING:
    from dpipe.lang.compile import Compiled
    from dpipe.lang.diagnostics import Diagnostic
    from dpipe.lang.render import Style
    from dpipe.lang.source import Source, Span


def read_text(file: Path) -> str:
    """A program's text as it is in its file; raises ``UsageError`` where it cannot be read."""
    from dpipe.project import read_file
    from dpipe.runtime.errors import UsageError

    try:
        return decoded(read_file(file), str(file))
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UsageError(f"cannot read `{file}`: {reason}") from None


def decoded(data: bytes, name: str) -> str:
    from dpipe.runtime.errors import UsageError

    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"`{name}` is not UTF-8", hint="save the file as UTF-8") from None


def read_source(file: Path) -> Source:
    from dpipe.lang.source import Source

    return Source(str(file), read_text(file))


def tell_findings(
    findings: Iterable[Diagnostic],
    sources: Mapping[str, Source],
    stream: TextIO,
    style: Style = "text",
) -> None:
    """Print diagnostics in one of the formats."""
    from dpipe.lang.render import render

    text = render(findings, sources, style, console.has_colour(stream))
    # What of a name is no UTF-8 is escaped as JSON does it, which suits every format.
    text = text.encode("utf-8", "backslashreplace").decode()
    console.write(text.rstrip("\n") + "\n", stream)


def row_lines(compiled: Compiled) -> Iterator[str]:
    """The row after each stage, a line each: ``file:line  flow | stage  { … }``."""
    from dpipe.lang.types import show

    told = [(_place(compiled, at.span), f"{at.flow} | {at.stage}", at.row) for at in compiled.rows]
    places = max((len(place) for place, _, _ in told), default=0)
    names = max((len(name) for _, name, _ in told), default=0)
    for place, name, row in told:
        yield f"{click.style(f'{place:{places}}', dim=True)}  {name:{names}}  {show(row)}"


def _place(compiled: Compiled, span: Span) -> str:
    return f"{console.escape(span.file)}:{compiled.sources[span.file].position(span.start).line}"
