"""Writes the record of a run that is going on; ``record`` says what is in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import msgspec
from pydantic import BaseModel

from dpipe.runtime.events import (
    AnyEvent,
    CallEnded,
    EventsFile,
    ModelCount,
    Progress,
    RunEnded,
    SinkWritten,
)
from dpipe.runtime.git import revision_of
from dpipe.runtime.locks import Lock
from dpipe.runtime.record import (
    LedgerRecord,
    ModelRecord,
    Project,
    ResultRecord,
    RunRecord,
    cannot_write,
    write_whole,
)
from dpipe.runtime.settings import Settings


class RunFolder:
    """The folder of a run that is going on: listens to its events, and holds its lock."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock
        self._sinks: dict[str, int] = {}
        # Calls are in the journal, and progress is past when it is read.
        self._events = EventsFile(path / "events.jsonl", leave_out=(CallEnded, Progress))

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
        only: Sequence[str] = (),
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
            only=list(only),
            settings=settings,
            models=msgspec.to_builtins(models, enc_hook=str, str_keys=True),
            git=revision_of(project.root),
            process=os.getpid(),
        )
        files = {f"program/{place}": modules[name].encode() for name, place in places.items()}
        try:
            return cls(*_stage(project, record, files))
        except OSError as error:
            raise cannot_write(project.runs / id, error) from None

    def __call__(self, event: AnyEvent) -> None:
        self._events(event)
        if isinstance(event, SinkWritten):
            self._sinks[event.path] = event.rows
        elif isinstance(event, RunEnded):
            self._end(event)

    def _end(self, event: RunEnded) -> None:
        ledger = LedgerRecord.model_validate({"nodes": msgspec.to_builtins(event.nodes)})
        result = ResultRecord.model_validate(
            {
                "status": event.status,
                "exit_code": event.exit_code,
                "message": event.message,
                "ended": datetime.now(UTC),
                "seconds": event.elapsed,
                "sinks": self._sinks,
                "rejects": dict(event.rejects),
                "recalled": event.recalled,
                "models": [_spent(model) for model in event.models],
            }
        )
        try:
            write_whole(self.path / "ledger.json", _json(ledger))
            write_whole(self.path / "result.json", _json(result))
        except OSError as error:
            raise cannot_write(self.path, error) from None

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


def _spent(count: ModelCount) -> dict[str, Any]:
    counts: dict[str, Any] = msgspec.to_builtins(count)
    return {name: counts[name] for name in ModelRecord.model_fields}


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


def _json(record: BaseModel) -> bytes:
    text = json.dumps(record.model_dump(mode="json"), ensure_ascii=False, indent=2)
    # A file's name may be no UTF-8, a JSON file has to be.
    return text.encode("utf-8", "replace") + b"\n"
