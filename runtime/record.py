"""What is kept of every run in ``.dpipe/runs/<id>/``, readable by people, and how it is found.

``run.json`` (``RunRecord``) and ``program/`` are there from the first moment, ``events.jsonl``
grows, ``ledger.json`` (``LedgerRecord``) and ``result.json`` (``ResultRecord``) come with the
run's end. A folder without a result whose lock nobody holds is of a run that was cut off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from dpipe.runtime import events
from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import AnyEvent, Status
from dpipe.runtime.git import Revision
from dpipe.runtime.locks import is_held
from dpipe.runtime.settings import FILE, Settings

RunStatus: TypeAlias = Status | Literal["running", "cut off", "unreadable"]


class Project(Struct, frozen=True):
    """A project's folder, and the one in it that dpipe keeps its own things in."""

    root: Path
    state: Path

    @property
    def journal(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    def prepare(self) -> None:
        """Make the state folder, which keeps itself out of git; ``UsageError`` if it cannot be."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            ignore = self.state / ".gitignore"
            if not ignore.exists():
                write_whole(ignore, b"*\n")
        except OSError as error:
            raise cannot_write(self.state, error) from None


def find_project(program: Path) -> Project:
    """The project of a program: the nearest folder up with a ``dpipe.toml``, else its own."""
    home = program.absolute().parent
    root = next((up for up in (home, *home.parents) if (up / FILE).is_file()), home)
    return Project(root, root / ".dpipe")


# -- what is kept ---------------------------------------------------------------------------------


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1


class RunRecord(_Record):
    """How a run began. ``modules`` tells where in ``program/`` each file of the program lies;
    ``only`` are the sinks that were chosen, none where all ran."""

    id: str
    began: datetime
    dpipe: str
    program: str
    modules: dict[str, str]
    params: dict[str, JsonValue]
    only: list[str] = []
    settings: Settings
    models: dict[str, JsonValue]
    git: Revision | None
    process: int


class NodeRecord(BaseModel):
    """``entered == passed + sum(reasons) + in_flight``; ``left`` is how many rows came out.

    ``in_flight`` is 0 unless the run was stopped.
    """

    label: str
    entered: int
    passed: int
    left: int
    reasons: dict[str, int]
    in_flight: int


class LedgerRecord(_Record):
    """What became of the rows, node by node."""

    nodes: list[NodeRecord]


class ModelRecord(BaseModel):
    """What a model was asked in this run; ``cost`` in USD, null where it has no price.

    ``failed`` calls are counted by status or kind.
    """

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    failed: dict[str, int] = {}


class ResultRecord(_Record):
    """How a run ended; ``sinks`` are the complete files with their rows.

    ``rejects`` counts by file; ``recalled`` answers came from the journal.
    """

    status: Status
    exit_code: int
    message: str | None
    ended: datetime
    seconds: float
    sinks: dict[str, int]
    rejects: dict[str, int] = {}
    recalled: int = 0
    models: list[ModelRecord]


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each file of a run's folder."""
    return {
        "run.json": RunRecord.model_json_schema(),
        "ledger.json": LedgerRecord.model_json_schema(),
        "result.json": ResultRecord.model_json_schema(),
        "events.jsonl": events.json_schema(),
    }


# -- what is read ---------------------------------------------------------------------------------


class Run(Struct, frozen=True):
    """A recorded run; ``record`` and ``result`` are None where they cannot be read or are not."""

    path: Path
    status: RunStatus
    record: RunRecord | None
    result: ResultRecord | None

    @property
    def id(self) -> str:
        return self.path.name


def list_runs(project: Project) -> list[Run]:
    """The project's runs, the oldest first; a damaged one is listed as ``unreadable``."""
    return sorted((read_run(path) for path in _folders(project)), key=_age)


def resolve_run(project: Project, text: str) -> Path:
    """The folder of the run that ``text`` names: its id, the beginning of that, or ``last``."""
    runs = list_runs(project)
    if not runs:
        raise UsageError(f"no run is recorded in `{project.state}`")
    if text == "last":
        return runs[-1].path
    found = [run.path for run in runs if text and run.id.startswith(text)]
    if not found:
        raise UsageError(f"there is no run `{text}`", hint=f"the last one is `{runs[-1].id}`")
    if len(found) > 1:
        names = ", ".join(f"`{path.name}`" for path in found[-3:])
        raise UsageError(
            f"`{text}` is the beginning of {len(found)} runs", hint=f"say which: {names}"
        )
    return found[0]


def read_run(path: Path) -> Run:
    """A run by its folder, with what can be read of it."""
    # The lock is looked at first: a run that ends meanwhile has then left its result.
    held = is_held(path / "lock")
    try:
        record = read_record(path)
        result = read_result(path) if (path / "result.json").exists() else None
    except UsageError:
        return Run(path, "unreadable", None, None)
    if result is not None:
        return Run(path, result.status, record, result)
    return Run(path, "running" if held else "cut off", record, None)


def read_record(run: Path) -> RunRecord:
    """How a run began; these three raise ``UsageError`` for a file that is missing or damaged."""
    return _read(run / "run.json", RunRecord)


def read_ledger(run: Path) -> LedgerRecord:
    return _read(run / "ledger.json", LedgerRecord)


def read_result(run: Path) -> ResultRecord:
    return _read(run / "result.json", ResultRecord)


def read_events(run: Path) -> Iterator[AnyEvent]:
    """What is kept of a run's events; a line that was cut off ends them."""
    decoder = msgspec.json.Decoder(AnyEvent)
    try:
        with (run / "events.jsonl").open("rb") as file:
            for line in file:
                yield decoder.decode(line)
    except (OSError, msgspec.DecodeError):
        return


def _folders(project: Project) -> list[Path]:
    if not project.runs.is_dir():
        return []
    return [path for path in project.runs.iterdir() if not path.name.startswith(".")]


def _age(run: Run) -> tuple[str, str]:
    """Runs of one second are told apart by what they recorded; an id holds the second only."""
    return run.id[:15], run.record.began.isoformat() if run.record else ""


_Kind = TypeVar("_Kind", bound=_Record)


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise UsageError(f"`{path}` is damaged or of another dpipe: {why}") from None


# -- files ---------------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all; raises ``OSError``."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def cannot_write(path: Path, error: OSError) -> UsageError:
    """What to raise for a file that could not be written."""
    return UsageError(f"`{path}` cannot be written: {error.strerror}")
