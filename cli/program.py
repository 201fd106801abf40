"""What commands share that look at a program: its text, its findings, its rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from dpipe.cli import console

if TYPE_CHECKING:
    from dpipe.checking import CheckResult
    from dpipe.lang.compile import Compiled
    from dpipe.lang.source import Source


def read_source(file: Path) -> Source:
    """A program's text; raises ``UsageError`` where it cannot be read."""
    from dpipe.lang.source import Source
    from dpipe.runtime.errors import UsageError

    try:
        return Source(str(file), file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UsageError(f"cannot read `{file}`: {reason}") from None
    except UnicodeDecodeError:
        raise UsageError(f"`{file}` is not UTF-8", hint="save the file as UTF-8") from None


def tell_findings(result: CheckResult, stream: TextIO, style: str = "text") -> None:
    """Print diagnostics in one of the formats."""
    from dpipe.lang.render import render

    text = render(result.diagnostics, result.sources, style, console.has_colour(stream))
    click.echo(text.rstrip("\n"), file=stream, color=True)


def row_lines(compiled: Compiled) -> Iterator[str]:
    """The row after each stage, a line each: ``file:line flow | stage  { … }``."""
    for row in compiled.rows:
        place = click.style(f"{row.file}:{row.line}", dim=True)
        yield f"{place} {row.flow}: {row.stage}  {row.type}"
