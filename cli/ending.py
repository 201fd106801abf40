"""What is said when a run is over: how it ended, its funnel, its files, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.cli.funnel import summary

if TYPE_CHECKING:
    from dpipe.runtime.run import RunResult

_COLOURS = {"done": "green", "failed": "red"}


def ending(file: str, result: RunResult, width: int) -> Iterator[str]:
    status = click.style(result.status, fg=_COLOURS.get(result.status, "yellow"), bold=True)
    yield f"{click.style(file, bold=True)}: {status} in {amounts.duration(result.seconds)}"
    files = {output.path: output.rows for output in result.outputs}
    yield from summary(result.nodes, files, result.models, width)
    if result.recalled:
        yield f"  {amounts.count(result.recalled, 'answer')} from the journal"
    yield from _notes(result)


def _notes(result: RunResult) -> Iterator[str]:
    notes = [escape(result.message)] if result.message else []
    if result.rejects:
        notes.append(_lost(result))
    if notes:
        yield ""
        yield from (click.style(note, fg="yellow") for note in notes)


def _lost(result: RunResult) -> str:
    count = sum(result.rejects.values())
    files = ", ".join(map(escape, result.rejects))
    them = "it" if count == 1 else "them"
    return (
        f"{amounts.count(count, 'row')} failed: the reasons are in {files}; "
        f"run the program again to ask for {them} anew"
    )


def as_json(result: RunResult) -> str:
    """The result for other programs."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
