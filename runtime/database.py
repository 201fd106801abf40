"""One SQLite file in WAL mode, whose troubles are told as the user's: fact, place, way out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dpipe.runtime.errors import UsageError

BUSY_SECONDS = 30.0
LOG_PAGES = 16_000
CACHE_KIB = 16_000

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_PLACE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Held(UsageError):
    """Another program writes, for longer than it was waited for."""


class Damaged(UsageError):
    """What the file holds is not what was written."""


class Database:
    """A connection; used by one thread at a time, whichever it is.

    Every method raises ``UsageError`` for a file that is damaged, cannot be written, or is held
    by another program for longer than ``BUSY_SECONDS``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        self._enter_wal()
        # Commits are ordered but not synced; ``sync`` does that.
        self.rows("PRAGMA synchronous = NORMAL")
        self.rows(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        self.rows(f"PRAGMA cache_size = -{CACHE_KIB}")

    def _enter_wal(self) -> None:
        """Switch a new file to WAL. SQLite does not wait for others who do the same: wait here."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
                return
            except sqlite3.Error as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise self._trouble(error) from None
                time.sleep(0.01)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows that a statement gives."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    def each(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a statement one by one; what is read meanwhile stands as it stood."""
        with self._told(), closing(self._connection.execute(query, values)) as rows:
            yield from rows

    def many(self, query: str, values: Iterable[Sequence[Any]]) -> None:
        """The statement once for each of the values."""
        with self._told():
            self._connection.executemany(query, values)

    @contextmanager
    def transaction(self, *, patience: float = BUSY_SECONDS) -> Iterator[None]:
        """All that is written inside, or nothing of it.

        Raises ``Held``, before anything is done, where another program writes for longer.
        """
        self._begin(patience)
        try:
            yield
            self.rows("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def _begin(self, patience: float) -> None:
        """Waits here and not inside SQLite, where no signal would be heard."""
        self.rows("PRAGMA busy_timeout = 0")
        deadline = time.monotonic() + patience
        while True:
            try:
                self.rows("BEGIN IMMEDIATE")
                return
            except Held:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.005)

    def sync(self) -> None:
        """Make what is committed survive a power cut."""
        self.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    def _trouble(self, error: sqlite3.Error) -> UsageError:
        code = _code(error)
        if code in _DAMAGED:
            return damaged(self.path, str(error))
        if code in _BUSY:
            return Held(
                f"`{self.path}` is held by another program",
                hint="wait for it to end, or end it",
            )
        if code == sqlite3.SQLITE_FULL:
            return UsageError(
                f"the disk is full: `{self.path}` cannot be written",
                hint="make room and run again; what was recorded is kept",
            )
        hint = "its folder has to be there, and writable" if code in _NO_PLACE else None
        return UsageError(f"`{self.path}` cannot be read or written: {error}", hint=hint)


def damaged(path: Path, why: str) -> Damaged:
    """The error of a file whose content cannot be trusted."""
    return Damaged(
        f"`{path}` is damaged: {why}",
        hint="`dpipe cache check --repair` keeps what can be read; the rest is then asked again",
    )


def _code(error: sqlite3.Error) -> int:
    """The primary code, without what SQLite adds in the higher bits; 0 where there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
