"""Damage in a journal told entry by entry, and what is whole of it kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from dpipe.runtime import stored
from dpipe.runtime.cache.held import alone, opened, refuse_missing
from dpipe.runtime.cache.reports import Checked, Damage
from dpipe.runtime.database import Damaged, Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.record import Project, cannot_write

_AT_ONCE = 1000
"""Rows that are read together."""
_SEALED = {"answer": ("attempts", "texts"), "vector": ("vectors", "vector")}
_KINDS = {table: kind for kind, (table, _) in _SEALED.items()}
_TABLES = ("runs", "attempts", "vectors", "uses")
_TYPES = {"TEXT": str, "BLOB": bytes, "INTEGER": int, "REAL": float}


def check(project: Project) -> Checked:
    """Read every entry of the journal; runs may go on meanwhile."""
    counts = dict.fromkeys(_SEALED, 0)
    found: list[Damage] = []
    faults: list[str] = []
    try:
        with opened(project) as database:
            told = database.rows("PRAGMA integrity_check(10)")
            faults += [text for (text,) in told if text != "ok"]
            for kind, (table, column) in _SEALED.items():
                for key, sealed in database.each(f"SELECT key, {column} FROM {table}"):
                    counts[kind] += 1
                    if not is_whole(key, sealed):
                        found.append(Damage(kind, _digits(key)))
    except Damaged as error:
        faults.append(error.message)
    return Checked(
        journal=str(project.journal),
        attempts=counts["answer"],
        vectors=counts["vector"],
        damaged=tuple(found),
        faults=tuple(faults),
    )


def is_whole(key: Any, sealed: Any) -> bool:
    try:
        stored.unseal(key, sealed)
    except (ValueError, TypeError):
        return False
    return True


def _digits(key: Any) -> str:
    """A key as it is shown; empty where it is none any more."""
    return key.hex() if isinstance(key, bytes) else ""


# -- repair --------------------------------------------------------------------------------------


def repair(project: Project) -> Checked:
    """Make the journal anew of all that is whole in it; the damaged file is kept beside.

    Nothing is done to one without damage. Raises ``UsageError`` where a run uses the journal, or
    where nothing can be read of it.
    """
    refuse_missing(project)
    with alone(project):
        checked = check(project)
        if checked.is_whole:
            return checked
        old, new = project.journal, _beside(project.journal, "repaired")
        for path in _with_log(new):
            path.unlink(missing_ok=True)
        try:
            counts, lost = _salvage(old, new)
        except BaseException:
            for path in _with_log(new):
                path.unlink(missing_ok=True)
            raise
        kept = _exchange(old, new)
    return Checked(
        journal=str(project.journal),
        attempts=counts["attempts"],
        vectors=counts["vectors"],
        damaged=tuple(lost),
        faults=(),
        kept_as=str(kept),
    )


def _salvage(old: Path, new: Path) -> tuple[dict[str, int], list[Damage]]:
    """Copy what is whole; how many rows of each table, and the entries that are not."""
    counts = dict.fromkeys(_TABLES, 0)
    lost: list[Damage] = []
    with closing(_wreck(old)) as wreck, closing(Database(new)) as target:
        stored.prepare(target)
        for table in _TABLES:
            columns = target.rows(f"PRAGMA table_info({table})")
            with target.transaction():
                for row in _rows_of(wreck, table):
                    damage = _damage(table, row)
                    if damage is None and _fits(row, columns):
                        counts[table] += _put(target, table, row)
                    elif table in _KINDS:
                        lost.append(damage or Damage(_KINDS[table], ""))
        target.sync()
    return counts, lost


def _fits(row: dict[str, Any], columns: list[tuple[Any, ...]]) -> bool:
    """Whether a row has values of its columns' types."""
    return all(
        isinstance(row[name], _TYPES[of]) or (row[name] is None and not needed)
        for _, name, of, needed, *_ in columns
        if name in row
    )


def _put(target: Database, table: str, row: dict[str, Any]) -> int:
    """Copy a row, unless one of its key is there; how many were copied."""
    places = ", ".join("?" * len(row))
    query = f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING 1"
    return len(target.rows(query, [*row.values()]))


def _damage(table: str, row: dict[str, Any]) -> Damage | None:
    """What is wrong with an entry."""
    for kind, (of, column) in _SEALED.items():
        if of == table and not is_whole(row["key"], row[column]):
            return Damage(kind, _digits(row["key"]))
    return None


def _wreck(path: Path) -> sqlite3.Connection:
    """The damaged file, opened so that what is there of it is read."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        # without this SQLite reads nothing of a file that was cut off
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except sqlite3.Error as error:
        connection.close()
        raise UsageError(
            f"nothing can be read of `{path}`: {error}",
            hint="restore it from a backup, or move it away; its answers are then asked again",
        ) from None
    return connection


def _rows_of(wreck: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table that can be read, found without its indexes."""
    names = [name for _, name, *_ in wreck.execute(f"PRAGMA table_info({table})")]
    if not names:
        return

    def between(first: int, last: int) -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(names)} FROM {table} WHERE rowid BETWEEN ? AND ?"
        return wreck.execute(query, (first, last)).fetchall()

    for start in range(1, _last_rowid(wreck, table) + 1, _AT_ONCE):
        for row in _readable(between, start, start + _AT_ONCE - 1):
            yield dict(zip(names, row, strict=True))


def _readable(
    between: Callable[[int, int], list[tuple[Any, ...]]], first: int, last: int
) -> Iterator[tuple[Any, ...]]:
    """The rows of a range, halved where a part of it cannot be read."""
    try:
        yield from between(first, last)
    except (sqlite3.Error, UnicodeError):
        if first < last:
            middle = (first + last) // 2
            yield from _readable(between, first, middle)
            yield from _readable(between, middle + 1, last)


def _last_rowid(wreck: sqlite3.Connection, table: str) -> int:
    try:
        [(last,)] = wreck.execute(f"SELECT max(rowid) FROM {table}")
        return int(last or 0)
    except sqlite3.Error:
        # its last page is gone; a page holds a hundred of the smallest entries at most
        [(pages,)] = wreck.execute("PRAGMA page_count")
        return int(pages) * 100


def _exchange(old: Path, new: Path) -> Path:
    """Put the new file in the old one's place; where the old one is kept.

    The old one has both names until the new one is there. Its log goes with it: SQLite would
    take it for the new file's.
    """
    kept = next(path for path in _names(old) if not path.exists())
    try:
        kept.hardlink_to(old)
        for path, place in zip(_with_log(old)[1:], _with_log(kept)[1:], strict=True):
            if path.exists():
                path.replace(place)
        new.replace(old)
    except OSError as error:
        raise cannot_write(kept, error) from None
    return kept


def _names(old: Path) -> Iterator[Path]:
    yield _beside(old, "damaged")
    yield from (_beside(old, f"damaged-{number}") for number in count(2))


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f"{path.name}.{word}")


def _with_log(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
