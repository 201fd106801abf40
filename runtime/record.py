"""What is kept of every run: ``.dpipe/runs/<id>/``, written whole, readable by people.

``run.json`` (``RunRecord``) and ``program/`` are there from the first moment, ``events.jsonl``
grows, ``ledger.json`` (``LedgerRecord``) and ``result.json`` (``ResultRecord``) come with the
run's end. A folder without a result whose lock nobody holds is of a run that was cut off.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from dpipe.runtime import events
from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import AnyEvent, EventsFile, RunEnded, SinkWritten, Status
from dpipe.runtime.git import Revision, revision_of
from dpipe.runtime.locks import Lock, is_held
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
            raise _trouble(self.state, error) from None


def find_project(program: Path) -> Project:
    """The project of a program: the nearest folder up with a ``dpipe.toml``, else its own."""
    home = program.absolute().parent
    root = next((up for up in (home, *home.parents) if (up / FILE).is_file()), home)
    return Project(root, root / ".dpipe")


# -- what is written -----------------------------------------------------------------------------


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1


class RunRecord(_Record):
    """How a run began. ``modules`` tells where in ``program/`` each file of the program lies."""

    id: str
    began: datetime
    dpipe: str
    program: str
    modules: dict[str, str]
    params: dict[str, JsonValue]
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
    """What a model was asked in this run; ``cost`` in USD, null where it has no price."""

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None


class ResultRecord(_Record):
    """How a run ended; ``sinks`` are the complete files with their rows."""

    status: Status
    exit_code: int
    message: str | None
    ended: datetime
    seconds: float
    sinks: dict[str, int]
    models: list[ModelRecord]


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each file of a run's folder."""
    return {
        "run.json": RunRecord.model_json_schema(),
        "ledger.json": LedgerRecord.model_json_schema(),
        "result.json": ResultRecord.model_json_schema(),
        "events.jsonl": events.json_schema(),
    }


class RunFolder:
    """The folder of a run that is going on: listens to its events, and holds its lock."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._sinks: dict[str, int] = {}
        # Calls are in the journal, and progress is past when it is read.
        self._events = EventsFile(
            path / "events.jsonl", leave_out=(events.CallEnded, events.Progress)
        )

    @property
    def id(self) -> str:
        return self.path.name

    @classmethod
    def begin(
        cls,
        project: Project,
        *,
        program: Path,
        modules: Mapping[str, str],
        params: Mapping[str, Any],
        settings: Settings,
        models: Mapping[str, Any],
        version: str,
    ) -> RunFolder:
        """Start the record of a run; ``modules`` are the texts of its files by their names.

        ``params`` and ``models`` are written as JSON, what JSON cannot hold as its ``str``:
        ``***`` for a secret. ``version`` is dpipe's. Raises ``UsageError`` if it cannot be written.
        """
        began = datetime.now(UTC)
        id = f"{began:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        places = _places(modules, project.root)
        record = RunRecord(
            id=id,
            began=began,
            dpipe=version,
            program=os.path.relpath(program.absolute(), project.root),
            modules=places,
            params=msgspec.to_builtins(params, enc_hook=str, str_keys=True),
            settings=settings,
            models=msgspec.to_builtins(models, enc_hook=str, str_keys=True),
            git=revision_of(project.root),
            process=os.getpid(),
        )
        files = {f"program/{place}": modules[name].encode() for name, place in places.items()}
        try:
            return cls(*_stage(project, record, files))
        except OSError as error:
            raise _trouble(project.runs / id, error) from None

    def __call__(self, event: AnyEvent) -> None:
        self._events(event)
        if isinstance(event, SinkWritten):
            self._sinks[event.path] = event.rows
        elif isinstance(event, RunEnded):
            self._end(event)

    def _end(self, event: RunEnded) -> None:
        ledger = LedgerRecord.model_validate({"nodes": msgspec.to_builtins(event.nodes)})
        models = [model_record(model) for model in event.models]
        result = ResultRecord(
            status=event.status,
            exit_code=event.exit_code,
            message=event.message,
            ended=datetime.now(UTC),
            seconds=event.elapsed,
            sinks=self._sinks,
            models=models,
        )
        try:
            write_whole(self.path / "ledger.json", _json(ledger))
            write_whole(self.path / "result.json", _json(result))
        except OSError as error:
            raise _trouble(self.path, error) from None

    def close(self) -> None:
        """Let go of the folder; without a ``RunEnded`` before, the run counts as cut off."""
        try:
            self._events.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def model_record(count: events.ModelCount) -> ModelRecord:
    return ModelRecord(
        name=count.name,
        calls=count.calls,
        input_tokens=count.input_tokens,
        output_tokens=count.output_tokens,
        cost=count.cost,
    )


def _stage(project: Project, record: RunRecord, files: Mapping[str, bytes]) -> tuple[Path, Lock]:
    """Write the folder under a hidden name, lock it, and only then let it be seen."""
    project.prepare()
    path, hidden = project.runs / record.id, project.runs / f".{record.id}"
    hidden.mkdir()
    lock = Lock(hidden / "lock")
    try:
        lock.take()
        for name, data in {**files, "run.json": _json(record)}.items():
            (hidden / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(hidden / name, data)
        hidden.rename(path)
    except BaseException:
        lock.release()
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return path, lock


def _places(modules: Mapping[str, str], root: Path) -> dict[str, str]:
    """Where each module's file goes below ``program/``: inside it, and no two in one place."""
    places: dict[str, str] = {}
    for name in modules:
        path = PurePosixPath(name)
        if path.is_relative_to(root):
            path = path.relative_to(root)
        parts = ["_up" if part == ".." else part.strip("<>") for part in path.parts if part != "/"]
        place = "/".join(parts)
        while place in places.values():
            place = f"_{place}"
        places[name] = place
    return places


# -- what is read --------------------------------------------------------------------------------


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
    return sorted((_run(path) for path in _folders(project)), key=_age)


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


def read_record(run: Path) -> RunRecord:
    """How a run began; these three raise ``UsageError`` for a file that is missing or damaged."""
    return _read(run / "run.json", RunRecord)


def read_ledger(run: Path) -> LedgerRecord:
    return _read(run / "ledger.json", LedgerRecord)


def read_result(run: Path) -> ResultRecord:
    return _read(run / "result.json", ResultRecord)


def _folders(project: Project) -> list[Path]:
    if not project.runs.is_dir():
        return []
    return [path for path in project.runs.iterdir() if not path.name.startswith(".")]


def _run(path: Path) -> Run:
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


def _json(record: BaseModel) -> bytes:
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, indent=2)
    # A file's name may be no UTF-8, a JSON file has to be.
    return text.encode("utf-8", "replace") + b"\n"


def _trouble(path: Path, error: OSError) -> UsageError:
    return UsageError(f"`{path}` cannot be written: {error.strerror}")
