"""``--events FILE``: where a run's events go, which is never over a file that is not theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import EventsFile, Listener
from dpipe.runtime.places import state_in
from dpipe.runtime.record import find_project
from dpipe.runtime.settings import FILE

_LONGEST = 1 << 20
"""Bytes that the first event may have."""


@contextmanager
def events_file(path: Path, program: Path) -> Iterator[Listener]:
    """A listener that writes a run's events to the file; there is no new one without events."""
    _refuse_others(path, find_project(program).root)
    is_new = not path.exists()
    file = EventsFile(path)
    try:
        yield file
    finally:
        file.close()
        if is_new and path.stat().st_size == 0:
            path.unlink()


def _refuse_others(path: Path, root: Path) -> None:
    """Refuse what is dpipe's own, and a file that holds something else."""
    own = state_in(Path(os.path.realpath(path)), root) or (FILE if path.name == FILE else None)
    if own:
        raise UsageError(
            f"`--events {path}` would write over `{own}`", hint="give the events another path"
        )
    if path.is_file() and not _holds_events(path):
        raise UsageError(
            f"`--events {path}` would write over a file that holds no events of a run",
            hint="name a file that is not there yet, or remove this one",
        )


def _holds_events(path: Path) -> bool:
    """Whether a file is empty or begins as those of an earlier run do."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST)
        return not line or _Started.matches(line)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None


class _Started(msgspec.Struct, tag="run_started"):
    """As much of the first event as tells it from another file's row."""

    id: str
    program: str

    @classmethod
    def matches(cls, line: bytes) -> bool:
        try:
            msgspec.json.decode(line, type=cls)
        except msgspec.DecodeError:
            return False
        return True
