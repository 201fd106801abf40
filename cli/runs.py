"""``dpipe runs``: the project's runs, or the funnel of one again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpipe.cli import amounts, console

if TYPE_CHECKING:
    from dpipe.runtime.record import Project, Run

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
    from dpipe.runtime.record import find_project, list_runs

    project = find_project(folder / "_" if folder.is_dir() else folder)
    if run is not None:
        _show(project, run, style)
        return
    runs = list_runs(project)
    if style == "json":
        console.say(json.dumps([_as_json(each) for each in runs], indent=2))
    elif not runs:
        console.say(f"no run is recorded in {console.escape(str(project.state))}")
    for line in _table(runs) if style == "text" else ():
        console.say(line)


def _show(project: Project, name: str, style: str) -> None:
    from dpipe.cli.past import past
    from dpipe.runtime.record import read_run, resolve_run

    run = read_run(resolve_run(project, name))
    if style == "json":
        console.say(json.dumps(_whole(run), indent=2))
        return
    for line in past(project, run, console.width()):
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
    return program, _rows(run.result.sinks), amounts.duration(run.result.seconds)


def _rows(files: Mapping[str, int]) -> str:
    """``46 rows``; a row may be in more than one file, so nothing is added up."""
    rows = amounts.count(max(files.values(), default=0), "row")
    return rows if len(files) < 2 else f"up to {rows} in {amounts.count(len(files), 'file')}"


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "record": run.record and run.record.model_dump(mode="json"),
        "result": run.result and run.result.model_dump(mode="json"),
    }


def _whole(run: Run) -> dict[str, Any]:
    """All that is known of a run; ``ledger`` is null where it did not come to its end."""
    from dpipe.runtime.record import read_ledger, read_record

    read_record(run.path)
    ledger = read_ledger(run.path).model_dump(mode="json") if run.result else None
    return {**_as_json(run), "ledger": ledger}
