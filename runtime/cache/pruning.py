"""Answers that go, and the room that they took given back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from dpipe.runtime.cache.held import alone, opened, refuse_missing
from dpipe.runtime.cache.inventory import size_of
from dpipe.runtime.cache.reports import Pruned
from dpipe.runtime.cache.uses import gather_used
from dpipe.runtime.database import Database
from dpipe.runtime.record import Project

_LAST = "SELECT key, max(attempt), outcome, model, at FROM attempts GROUP BY key"
_IN_DOOMED = "WHERE key IN (SELECT key FROM temp.doomed)"


class Wanted(Struct, frozen=True):
    """What is to go: entries of which all that is said holds.

    ``older_than`` is in seconds. ``unused`` answers are those that no program's last run used;
    with ``older_than``, no last run that is not as old.
    """

    older_than: float | None = None
    unused: bool = False
    model: str | None = None
    failed: bool = False

    @property
    def before(self) -> float:
        return time.time() - (self.older_than or 0.0)


def prune(project: Project, wanted: Wanted, *, dry_run: bool = False) -> Pruned:
    """Remove entries, and give their room back to the disk; ``dry_run`` only tells.

    Raises ``UsageError`` where a run uses the journal.
    """
    refuse_missing(project)
    with alone(project), opened(project) as database:
        before = size_of(project)
        answers, vectors, size = _doom(project, database, wanted)
        if not dry_run and answers + vectors:
            _remove(database)
        left = before - size if dry_run else size_of(project)
    return Pruned(
        journal=str(project.journal),
        dry_run=dry_run,
        answers=answers,
        vectors=vectors,
        bytes=size,
        left=max(left, 0),
    )


def _doom(project: Project, database: Database, wanted: Wanted) -> tuple[int, int, int]:
    """Put the keys that go into ``temp.doomed``; how many answers and vectors, and their bytes."""
    if wanted.unused:
        gather_used(project, database, wanted.before if wanted.older_than is not None else 0.0)
    database.rows("CREATE TEMP TABLE doomed (key BLOB PRIMARY KEY) WITHOUT ROWID")
    where, values = _conditions(wanted)
    failed = " AND outcome != 'ok'" if wanted.failed else ""
    database.rows(f"INSERT INTO doomed SELECT key FROM ({_LAST}) WHERE {where}{failed}", values)
    if not wanted.failed:
        query = f"INSERT OR IGNORE INTO doomed SELECT key FROM vectors WHERE {where}"
        database.rows(query, values)
    answers, size = _count(database, "attempts", "texts")
    vectors, more = _count(database, "vectors", "vector")
    return answers, vectors, size + more


def _conditions(wanted: Wanted) -> tuple[str, list[Any]]:
    """What has to hold of an entry, as SQL; a time of 0 is not known, and so not old."""
    parts = list(_parts(wanted))
    return " AND ".join(["1", *(text for text, _ in parts)]), [v for _, vs in parts for v in vs]


def _parts(wanted: Wanted) -> Iterator[tuple[str, list[Any]]]:
    if wanted.older_than is not None:
        yield "at BETWEEN 1 AND ?", [wanted.before]
    if wanted.unused:
        yield "key NOT IN (SELECT key FROM temp.used)", []
    if wanted.model is not None:
        yield "model = ?", [wanted.model]


def _count(database: Database, table: str, column: str) -> tuple[int, int]:
    query = (
        f"SELECT count(DISTINCT key), coalesce(sum(length({column}) + length(key)), 0)"
        f" FROM {table} {_IN_DOOMED}"
    )
    [(count, size)] = database.rows(query)
    return count, size


def _remove(database: Database) -> None:
    with database.transaction():
        database.rows(f"DELETE FROM attempts {_IN_DOOMED}")
        database.rows(f"DELETE FROM vectors {_IN_DOOMED}")
    database.rows("VACUUM")
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
