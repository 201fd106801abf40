"""``dpipe runs``: the project's runs, or the funnel of one again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpipe.cli import amounts, console
from dpipe.cli.funnel import summary

if TYPE_CHECKING:
    from dpipe.runtime.record import Run

_COLOURS = {"done": "green", "running": "cyan"}


@click.command(short_help="List the project's runs, or look at one again.")
@click.argument("run", required=False)
@click.option(
    "--project",
    "folder",
    type=click.Path(exists=True, path_type=Path),
    default=".",
    help="A program of the project, or a folder in it (by default, here).",
)
@click.option(
    "--format", "style", type=click.Choice(("text", "json")), default="text", help="How to print."
)
def command(run: str | None, folder: Path, style: str) -> None:
    """List the project's runs, the oldest first; with RUN, show how that one went.

    RUN is an id, its beginning, or `last`.
    """
    from dpipe.runtime.record import find_project, list_runs, resolve_run

    project = find_project(folder / "_" if folder.is_dir() else folder)
    if run is not None:
        for line in _one(resolve_run(project, run), style):
            console.say(line)
        return
    runs = list_runs(project)
    if style == "json":
        console.say(json.dumps([_as_json(each) for each in runs], indent=2))
    elif not runs:
        console.say(f"no run is recorded in {project.state}")
    for line in _table(runs) if style == "text" else ():
        console.say(line)


def _table(runs: Iterable[Run]) -> Iterator[str]:
    rows = [(run.id, *_columns(run), run.status) for run in runs]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *cells, status in rows:
        line = "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=False))
        yield f"{line}  {click.style(status, fg=_COLOURS.get(status, 'yellow'))}"


def _columns(run: Run) -> tuple[str, str, str]:
    """Program, rows written, time taken; empty where that is not known."""
    program = console.escape(run.record.program) if run.record else ""
    if run.result is None:
        return program, "", ""
    rows = amounts.count(sum(run.result.sinks.values()), "row")
    return program, rows, amounts.duration(run.result.seconds)


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "record": run.record and run.record.model_dump(mode="json"),
        "result": run.result and run.result.model_dump(mode="json"),
    }


def _one(run: Path, style: str) -> Iterator[str]:
    from dpipe.runtime.record import read_ledger, read_record, read_result

    record, ledger, result = read_record(run), read_ledger(run), read_result(run)
    if style == "json":
        parts = {"record": record, "ledger": ledger, "result": result}
        yield json.dumps({k: v.model_dump(mode="json") for k, v in parts.items()}, indent=2)
        return
    yield click.style(f"{record.program} {json.dumps(record.params)}", bold=True)
    yield from summary(ledger.nodes, result.sinks, result.models, console.width())
