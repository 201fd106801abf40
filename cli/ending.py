"""What is said when a run is over: how it ended, its funnel, its files, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.cli.funnel import summary

if TYPE_CHECKING:
    from pydantic import JsonValue

    from dpipe.runtime.record import RunRecord
    from dpipe.runtime.run import RunResult

_COLOURS = {"done": "green", "failed": "red"}


def ending(file: str, result: RunResult, stand_ins: Collection[str], width: int) -> Iterator[str]:
    """The lines; ``stand_ins`` are the models of the run that were simulated."""
    status = click.style(result.status, fg=_COLOURS.get(result.status, "yellow"), bold=True)
    yield f"{click.style(file, bold=True)}: {status} in {amounts.duration(result.seconds)}"
    files = {output.path: output.rows for output in result.outputs}
    yield from summary(result.nodes, files, result.models, width, result.recalled)
    if notes := list(_notes(result, stand_ins)):
        yield ""
        yield from (click.style(note, fg="yellow") for note in notes)


def _notes(result: RunResult, stand_ins: Collection[str]) -> Iterator[str]:
    if result.message:
        yield escape(result.message)
    if result.rejects:
        yield _lost(result)
    if stand_ins:
        names = " and ".join(map(escape, stand_ins))
        were = "was" if len(stand_ins) == 1 else "were"
        yield f"{names} {were} simulated: this shows how the program runs and is no training data"


def stand_ins(record: RunRecord) -> list[str]:
    """The models of a run that are no real ones."""
    return [name for name, model in record.models.items() if _is_simulated(model)]


def _is_simulated(model: JsonValue) -> bool:
    return isinstance(model, dict) and str(model.get("url", "")).startswith("simulated:")


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
