"""Frozen facts of a run, for whoever watches it: progress view, ``--events``, the record.

They hold counts, names and reasons; no event holds a prompt, an answer or a key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.protocol import Usage

Status = Literal["done", "rows lost", "stopped", "interrupted", "failed"]
"""How a run ended: all rows accounted for; some lost to failures; a budget; a person; an error."""


class NodeCount(Struct, frozen=True):
    """A node of the graph: ``entered == passed + sum(reasons) + in_flight``.

    ``left`` is how many rows came out: more than ``passed`` where rows multiply, fewer where
    they fold.
    """

    label: str
    entered: int
    passed: int
    left: int
    reasons: Mapping[str, int]
    in_flight: int = 0

    @property
    def failed(self) -> int:
        """Rows that were lost to failures here."""
        return sum(n for reason, n in self.reasons.items() if reason.startswith("failed:"))


class Trouble(Struct, frozen=True):
    """The last ``times`` calls of a model failed, over so many seconds; ``message`` is the last.

    Once it is ``given_up``, calls fail without waiting until it answers again.
    """

    message: str
    times: int
    seconds: float
    given_up: bool


class ModelCount(Struct, frozen=True):
    """What a model has been asked so far; ``cost`` in USD, None where it has no price.

    ``waiting`` are calls that have no slot yet, ``in_flight`` those that have one. ``failed``
    calls are counted by status or kind (``500``, ``connection``, ``timeout``, ``unreadable``).
    ``resting`` are addresses that are left alone for a while, for others answer.
    """

    name: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    in_flight: int = 0
    waiting: int = 0
    failed: Mapping[str, int] = {}
    trouble: Trouble | None = None
    resting: tuple[str, ...] = ()


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """``elapsed`` is in seconds since the run began."""

    elapsed: float


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """``params`` are shown as JSON, secrets as ``***``; ``sinks`` are paths."""

    id: str
    program: str
    params: Mapping[str, Any]
    sinks: tuple[str, ...]


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """Where everything stands; ``share`` is how much of the input has been read, if known."""

    nodes: tuple[NodeCount, ...]
    models: tuple[ModelCount, ...]
    share: float | None = None


class CallEnded(Event, frozen=True, kw_only=True, tag="call_ended"):
    """One request to an endpoint; ``latency`` in seconds, ``cost`` in USD."""

    model: str
    outcome: str
    latency: float
    usage: Usage
    cost: float | None = None


class RowRejected(Event, frozen=True, kw_only=True, tag="row_rejected"):
    """``place`` is where the row came from: ``file:line`` or the like."""

    stage: str
    outcome: str
    message: str
    place: str


class SinkWritten(Event, frozen=True, kw_only=True, tag="sink_written"):
    """A file of a sink is complete."""

    path: str
    rows: int


class Stopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """No call begins any more, and what is under way is brought to its end."""

    reason: str


class RunEnded(Event, frozen=True, kw_only=True, tag="run_ended"):
    """``message`` says why, where the run is not done.

    ``rejects`` counts by file; ``recalled`` answers came from the journal.
    """

    status: Status
    exit_code: int
    nodes: tuple[NodeCount, ...]
    models: tuple[ModelCount, ...]
    message: str | None = None
    rejects: Mapping[str, int] = {}
    recalled: int = 0


AnyEvent: TypeAlias = (
    RunStarted | Progress | CallEnded | RowRejected | SinkWritten | Stopping | RunEnded
)
Listener: TypeAlias = Callable[[AnyEvent], None]


class Observers:
    """Tells every event to each listener, in their order; a listener must not wait."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def __call__(self, event: AnyEvent) -> None:
        for listener in self._listeners:
            listener(event)


class EventsFile:
    """A listener that writes each event as a line of JSON; raises ``UsageError`` if it cannot.

    Lines reach the file with the next ``Progress``, ``SinkWritten`` or ``RunEnded``.
    """

    def __init__(self, path: Path, *, leave_out: tuple[type[Event], ...] = ()) -> None:
        self.path = path
        self._leave_out = leave_out
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise self._trouble(error) from None

    def __call__(self, event: AnyEvent) -> None:
        try:
            if not isinstance(event, self._leave_out):
                self._file.write(as_line(event))
            if isinstance(event, Progress | SinkWritten | RunEnded):
                self._file.flush()
        except OSError as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._trouble(error) from None

    def _trouble(self, error: OSError) -> UsageError:
        return UsageError(f"`{self.path}` cannot be written: {error.strerror}")


def as_line(event: AnyEvent) -> bytes:
    """The event as a line of JSON; ``?`` stands for what of a file's name is no UTF-8."""
    try:
        return msgspec.json.encode(event) + b"\n"
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(event), ensure_ascii=False)
        return text.encode("utf-8", "replace") + b"\n"


def json_schema() -> dict[str, Any]:
    """The schema of a line of ``--events``."""
    return msgspec.json.schema(AnyEvent)
