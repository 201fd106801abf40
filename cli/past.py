"""What is said of a run that is over, from its record: as at its end, or where it was cut off."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.cli.ending import EXAMPLES, Examples, account, outcome, shown_rejects, stand_ins
from dpipe.cli.funnel import outputs
from dpipe.runtime.events import RowRejected, SinkWritten, Stopping
from dpipe.runtime.record import LedgerRecord, read_events, read_ledger, read_record
from dpipe.runtime.result import RunResult

if TYPE_CHECKING:
    from dpipe.runtime.record import Project, ResultRecord, Run, RunRecord


def past(project: Project, run: Run, width: int) -> Iterator[str]:
    """The lines; raises ``UsageError`` where the record of the run cannot be read."""
    record = run.record or read_record(run.path)
    if run.result is None:
        yield from _head(record, click.style(run.status, fg="yellow", bold=True))
        yield from _until_cut_off(project, run, record, width)
        return
    result = _result(record.id, read_ledger(run.path), run.result)
    examples = Examples()
    for event in read_events(run.path):
        examples(event)
    yield from _head(record, outcome(result))
    yield from account(result, examples.kept, stand_ins(record), width)


def _head(record: RunRecord, status: str) -> Iterator[str]:
    """``qa.dpipe  20260101-120000-ab12  2026-01-01 13:00:00  done in 12 s``, then the params."""
    program = click.style(escape(record.program), bold=True)
    yield f"{program}  {record.id}  {record.began.astimezone():%Y-%m-%d %H:%M:%S}  {status}"
    for name, value in record.params.items():
        yield f"  {name} = {escape(json.dumps(value, ensure_ascii=False))}"


def _result(id: str, ledger: LedgerRecord, result: ResultRecord) -> RunResult:
    """The result as the run itself gave it, but for the names of the sinks."""
    files = [{"sink": "", "path": path, "rows": rows} for path, rows in result.sinks.items()]
    facts = result.model_dump() | {"id": id, "outputs": files}
    return msgspec.convert(facts | {"nodes": ledger.model_dump()["nodes"]}, RunResult)


def _until_cut_off(project: Project, run: Run, record: RunRecord, width: int) -> Iterator[str]:
    """What a run without a result told before it ended, and how to go on."""
    told = list(read_events(run.path))
    files = {event.path: event.rows for event in told if isinstance(event, SinkWritten)}
    rejects = [event for event in told if isinstance(event, RowRejected)]
    yield ""
    yield from outputs(files)
    if rejects:
        yield click.style(f"{amounts.count(len(rejects), 'row')} had failed:", fg="red")
        if len(rejects) > EXAMPLES:
            yield "  …"
        yield from shown_rejects(rejects[-EXAMPLES:], width)
    for event in told:
        if isinstance(event, Stopping):
            yield f"it was stopping: {escape(event.reason)}"
    if told:
        yield f"the last of its events came {amounts.duration(told[-1].elapsed)} after it began"
    else:
        yield "it left no event"
    yield ""
    for line in _way_on(project, run, record):
        yield click.style(line, fg="yellow")


def _way_on(project: Project, run: Run, record: RunRecord) -> Iterator[str]:
    if run.status == "running":
        yield f"it is still going on, as process {record.process}"
        return
    file = os.path.relpath(project.root / Path(record.program))
    params = " with the same params" if record.params else ""
    yield f"what was answered is kept; run it again{params} to go on:"
    yield f"  dpipe run {escape(shlex.quote(file))}"
