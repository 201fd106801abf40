"""Locks that die with their process: no two runs write the same outputs at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dpipe.runtime.errors import UsageError
from dpipe.runtime.values import key_of


@contextmanager
def hold_outputs(folder: Path, outputs: Iterable[Path]) -> Iterator[None]:
    """Keep every other run off the outputs; raises ``UsageError`` where one is at it.

    ``folder`` holds a small file an output. The files stay: to remove one that another run has
    just opened would give two runs a lock each.
    """
    paths = sorted({Path(os.path.realpath(output)) for output in outputs})
    with ExitStack() as held:
        for path in paths:
            held.enter_context(_hold_output(folder, path))
        yield


@contextmanager
def _hold_output(folder: Path, output: Path) -> Iterator[None]:
    lock = Lock(folder / f"{key_of(os.fsencode(output)).hex()}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = lock.take()
    except OSError as error:
        raise UsageError(f"`{lock.path}` cannot be written: {error.strerror}") from None
    if not taken:
        who = lock.holder()
        raise UsageError(
            f"another run writes `{output}`" + (f" (process {who})" if who else ""),
            hint="wait for it to end, or end it; both would write the same file",
        )
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold_journal(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Use a project's journal beside others, or ``alone``; raises ``UsageError`` where it is held.

    Runs share it; who prunes or repairs it is alone.
    """
    path = folder / "journal.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from None
    try:
        if not _locked(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
            who = "a run uses the journal" if alone else "the journal is being pruned or repaired"
            raise UsageError(who, hint="wait until that is over")
        yield
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Lock:
    """A file that one holder has at a time; it is free when its holder is gone, however.

    Two holders in one process exclude each other as well.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Hold it, if nobody does; the file then names this process."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(file, fcntl.LOCK_EX):
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def holder(self) -> int | None:
        """The process that holds it or held it last, where it said so yet."""
        try:
            return int(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock at ``path``; a missing file is held by nobody."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locked(file, fcntl.LOCK_SH)
    finally:
        os.close(file)
