"""Answers one by one: the newest in a line each, or one with all its attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpipe.runtime import stored
from dpipe.runtime.cache.held import opened
from dpipe.runtime.cache.reports import Answer, Attempt, Listing, Shown
from dpipe.runtime.database import Database, damaged
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.protocol import Reply
from dpipe.runtime.record import Project

BEGINNING = 400
"""Characters of a reply that are listed."""

_COLUMNS = "key, attempt, runs.id, runs.program, outcome, model, prompt, max_tokens, at, texts"
_FROM = "FROM attempts LEFT JOIN runs ON number = run"
_NEWEST = f"SELECT {_COLUMNS} {_FROM} WHERE {{}} ORDER BY attempts.rowid DESC"
_CHAIN = f"SELECT {_COLUMNS} {_FROM} WHERE key = ? ORDER BY attempt"
_LIKE = "SELECT DISTINCT key FROM attempts WHERE key BETWEEN ? AND ? LIMIT 3"


def listing(project: Project, *, most: int, **wanted: str | None) -> Listing:
    """The newest answers, of the ``model``, ``prompt`` or ``outcome`` wanted."""
    filters = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(["model != ''", *(f"{name} = ?" for name in filters)])
    with opened(project) as database:
        query = f"SELECT count(DISTINCT key) FROM attempts WHERE {where}"
        [(count,)] = database.rows(query, [*filters.values()])
        found = tuple(_listed(database, where, filters, most))
    return Listing(journal=str(project.journal), answers=found, of=count)


def show(project: Project, beginning: str) -> Shown:
    """The answer whose key begins so, in hexadecimal digits."""
    with opened(project) as database:
        key = _resolved(database, beginning)
        rows = database.rows(_CHAIN, (key,))
        _, _, _, program, _, model, prompt, *_ = rows[-1]
        attempts = tuple(_attempt(database, row) for row in rows)
    return Shown(
        journal=str(project.journal),
        key=key.hex(),
        model=model,
        prompt=prompt,
        program=program or "",
        attempts=attempts,
    )


def _listed(
    database: Database, where: str, filters: Mapping[str, str], most: int
) -> Iterator[Answer]:
    """An answer by its newest entry, which is its last attempt."""
    seen: set[bytes] = set()
    for row in database.each(_NEWEST.format(where), [*filters.values()]):
        if len(seen) == most:
            return
        if row[0] not in seen:
            seen.add(row[0])
            yield _answer(database, row)


def _answer(database: Database, row: tuple[Any, ...]) -> Answer:
    key, _, _, program, outcome, model, prompt, _, at, sealed = row
    [(attempts, size)] = database.rows(
        "SELECT count(*), sum(length(texts)) FROM attempts WHERE key = ?", (key,)
    )
    message, reply = _texts(database, key, sealed)
    begins = (reply.text if reply else message)[:BEGINNING]
    return Answer(key.hex(), at, model, prompt, program or "", outcome, attempts, size, begins)


def _attempt(database: Database, row: tuple[Any, ...]) -> Attempt:
    key, attempt, run, _, outcome, _, _, max_tokens, at, sealed = row
    message, reply = _texts(database, key, sealed)
    said = (
        (reply.text, reply.finish, reply.refusal, reply.reasoning, reply.usage)
        if reply
        else (None,) * 5
    )
    return Attempt(attempt, at, run or "", outcome, message, max_tokens, *said)


def _texts(database: Database, key: bytes, sealed: bytes) -> tuple[str, Reply | None]:
    try:
        return stored.unpack(stored.unseal(key, sealed))
    except ValueError as error:
        raise damaged(database.path, f"an answer cannot be read, {error}") from None


def _resolved(database: Database, beginning: str) -> bytes:
    digits = 2 * stored.KEY
    try:
        first, last = (
            bytes.fromhex(beginning.lower().ljust(digits, filler)) for filler in ("0", "f")
        )
    except ValueError:
        first = last = b""
    if not beginning or len(first) != stored.KEY:
        raise UsageError(f"`{beginning}` is no key: it has up to {digits} hexadecimal digits")
    keys = [key for (key,) in database.rows(_LIKE, (first, last))]
    if not keys:
        raise UsageError(f"there is no answer `{beginning}`", hint="`dpipe cache list` lists them")
    if len(keys) > 1:
        told = ", ".join(f"`{key.hex()}`" for key in keys)
        raise UsageError(
            f"`{beginning}` is the beginning of several keys", hint=f"write more of it: {told}"
        )
    return bytes(keys[0])
