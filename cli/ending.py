"""What is said when a run is over: how it ended, its funnel, its files, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.cli.funnel import summary
from dpipe.runtime.events import AnyEvent, RowRejected

if TYPE_CHECKING:
    from pydantic import JsonValue

    from dpipe.runtime.record import RunRecord
    from dpipe.runtime.run import RunResult

_COLOURS = {"done": "green", "failed": "red"}
EXAMPLES = 3


class Examples:
    """A listener that keeps the first few rejects."""

    def __init__(self) -> None:
        self.kept: list[RowRejected] = []

    def __call__(self, event: AnyEvent) -> None:
        if isinstance(event, RowRejected) and len(self.kept) < EXAMPLES:
            self.kept.append(event)


def ending(
    file: str,
    result: RunResult,
    examples: Sequence[RowRejected],
    stand_ins: Collection[str],
    width: int,
) -> Iterator[str]:
    """The lines; ``examples`` of rejects, ``stand_ins`` are the models that were simulated."""
    yield f"{click.style(escape(file), bold=True)}: {outcome(result)}"
    yield from account(result, examples, stand_ins, width)


def outcome(result: RunResult) -> str:
    """``done in 12 s``"""
    status = click.style(result.status, fg=_COLOURS.get(result.status, "yellow"), bold=True)
    return f"{status} in {amounts.duration(result.seconds)}"


def account(
    result: RunResult, examples: Sequence[RowRejected], stand_ins: Collection[str], width: int
) -> Iterator[str]:
    """All that is told below the first line."""
    files = {output.path: output.rows for output in result.outputs}
    yield from summary(result.nodes, files, result.models, width, result.recalled)
    if result.rejects:
        yield ""
        yield from _failures(result, examples, width)
    for note in _notes(result, stand_ins):
        yield ""
        yield click.style(click.wrap_text(note, width), fg="yellow")


def _failures(result: RunResult, examples: Sequence[RowRejected], width: int) -> Iterator[str]:
    """How many rows failed, where that is told, a few of them, and whether to try again."""
    count = sum(result.rejects.values())
    files = ", ".join(map(escape, result.rejects))
    told = f"{amounts.count(count, 'row')} failed; what and why is in {files}:"
    yield click.style(click.wrap_text(told, width), fg="red")
    yield from shown_rejects(examples, width)
    if count > len(examples):
        yield "  …"
    if any(reject.outcome != "error" for reject in examples):
        yield "run the program again to ask anew for the rows that a model failed"


def shown_rejects(examples: Sequence[RowRejected], width: int) -> Iterator[str]:
    """A line a reject: where its row came from, and why it failed."""
    for reject in examples:
        yield _cut(f"  {escape(reject.place)}  {escape(_why(reject))}", width)


def _why(reject: RowRejected) -> str:
    how = "" if reject.outcome == "error" else f"{reject.outcome.replace('_', ' ')}: "
    return f"{reject.stage}: {how}{reject.message}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _notes(result: RunResult, stand_ins: Collection[str]) -> Iterator[str]:
    if result.message:
        yield escape(result.message)
    if stand_ins:
        names = " and ".join(map(escape, stand_ins))
        were = "was" if len(stand_ins) == 1 else "were"
        yield f"{names} {were} simulated: this shows how the program runs and is no training data"


def stand_ins(record: RunRecord) -> list[str]:
    """The models of a run that are no real ones."""
    return [name for name, model in record.models.items() if _is_simulated(model)]


def _is_simulated(model: JsonValue) -> bool:
    return isinstance(model, dict) and str(model.get("url", "")).startswith("simulated:")


def as_json(result: RunResult) -> str:
    """The result for other programs."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
