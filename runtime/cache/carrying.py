"""Answers out of one journal and into another, as lines of JSON."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from dpipe.runtime import stored
from dpipe.runtime.cache import lines
from dpipe.runtime.cache.held import opened
from dpipe.runtime.cache.reports import BadLine, Exported, Imported
from dpipe.runtime.database import Database, damaged
from dpipe.runtime.errors import UsageError
from dpipe.runtime.locks import hold_journal
from dpipe.runtime.places import state_in
from dpipe.runtime.record import Project, cannot_write
from dpipe.runtime.values import key_of

_AT_ONCE = 1000
"""Lines a transaction."""
_TOLD = 100
"""Damaged lines that are told one by one."""

_CHAINS = (
    "SELECT key, attempt, outcome, at, model, prompt, max_tokens, texts"
    " FROM attempts ORDER BY key, attempt"
)
_VECTORS = "SELECT key, vector, model, at FROM vectors ORDER BY key"


# -- out -----------------------------------------------------------------------------------------


def export_to(project: Project, path: Path) -> Exported:
    """Write all answers and vectors to a file, in the order of their keys: whole or not at all.

    Runs may go on meanwhile. Raises ``UsageError`` over a file that is no export.
    """
    _refuse_others(path, project)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    answers = vectors = 0
    with opened(project) as database:
        try:
            with partial.open("xb") as file:
                file.write(lines.encoded(lines.Head(lines.FORMAT)))
                for line in _lines_of(database):
                    file.write(lines.encoded(line))
                    if isinstance(line, lines.Answer):
                        answers += 1
                    else:
                        vectors += 1
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise cannot_write(path, error) from None
        finally:
            partial.unlink(missing_ok=True)
    return Exported(
        journal=str(project.journal),
        path=str(path),
        answers=answers,
        vectors=vectors,
        bytes=path.stat().st_size,
    )


def _lines_of(database: Database) -> Iterator[lines.Line]:
    for key, chain in groupby(database.each(_CHAINS), itemgetter(0)):
        yield lines.Answer(key.hex(), tuple(_attempt(database, row) for row in chain))
    for key, sealed, model, at in database.each(_VECTORS):
        yield lines.vector_line(key, _unsealed(database, key, sealed), model, at)


def _attempt(database: Database, row: tuple[Any, ...]) -> lines.Attempt:
    key, attempt, outcome, at, model, prompt, max_tokens, sealed = row
    message, reply = stored.unpack(_unsealed(database, key, sealed))
    return lines.Attempt(attempt, outcome, at, model, prompt, max_tokens, message, reply)


def _unsealed(database: Database, key: bytes, sealed: bytes) -> bytes:
    try:
        return stored.unseal(key, sealed)
    except ValueError as error:
        raise damaged(database.path, f"an answer cannot be read, {error}") from None


def _refuse_others(path: Path, project: Project) -> None:
    """Refuse what is dpipe's own, and a file that holds something else."""
    if state_in(Path(os.path.realpath(path)), project.root) or path.is_dir():
        raise UsageError(f"`{path}` cannot be an export", hint="give it another path")
    try:
        with path.open("rb") as file:
            _head(path, file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from None
    except UsageError:
        raise UsageError(
            f"`{path}` is there and is no exported journal",
            hint="name a file that is not there yet, or remove this one",
        ) from None


# -- in ------------------------------------------------------------------------------------------


def import_from(project: Project, path: Path) -> Imported:
    """Take what a file has and the journal lacks. An answer that is there stays, unless all its
    attempts failed and the file has one that did not.

    Damaged lines are left out and told. Raises ``UsageError`` for a file that is no export, or of
    a newer format.
    """
    try:
        with path.open("rb") as file:
            _head(path, file)
            project.prepare()
            with hold_journal(project.locks), opened(project, make=True) as database:
                return _Import(project, path, database).run(file)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None


def _head(path: Path, file: BinaryIO) -> None:
    """Read the first line; refuses a file of another kind."""
    try:
        head = lines.decoded(file.readline(1000))
    except ValueError:
        head = None
    if not isinstance(head, lines.Head):
        raise UsageError(
            f"`{path}` is no exported journal", hint="`dpipe cache export FILE` makes one"
        )
    if head.format > lines.FORMAT:
        raise UsageError(
            f"`{path}` has format {head.format}; this dpipe reads up to {lines.FORMAT}",
            hint="use the dpipe that wrote it, or a newer one",
        )


class _Import:
    """One file on its way into the journal, as a run of nobody that has ended."""

    def __init__(self, project: Project, path: Path, database: Database) -> None:
        self._project = project
        self._path = path
        self._database = database
        self._run = 0
        self._taken = bytearray()
        self._answers = self._vectors = self._known = 0
        self._damaged: list[BadLine] = []

    def run(self, file: BinaryIO) -> Imported:
        self._begin()
        numbered = lines.numbered(file)
        while some := list(islice(numbered, _AT_ONCE)):
            with self._database.transaction():
                for number, text in some:
                    self._line(number + 1, text)
        self._note_uses()
        return Imported(
            journal=str(self._project.journal),
            path=str(self._path),
            answers=self._answers,
            vectors=self._vectors,
            known=self._known,
            damaged=tuple(self._damaged),
        )

    def _begin(self) -> None:
        now = time.time()
        query = "INSERT INTO runs (id, program, began, ended) VALUES (?, '', ?, ?) RETURNING number"
        with self._database.transaction():
            [(self._run,)] = self._database.rows(query, ("import", now, now))

    def _line(self, number: int, text: bytes) -> None:
        try:
            line = lines.decoded(text)
        except ValueError as error:
            self._damaged.append(BadLine(number, lines.reason(error)))
            return
        if isinstance(line, lines.Answer):
            self._answer(bytes.fromhex(line.key), line)
        elif isinstance(line, lines.Vector):
            self._vector(bytes.fromhex(line.key), line)

    def _answer(self, key: bytes, answer: lines.Answer) -> None:
        query = "SELECT outcome FROM attempts WHERE key = ?"
        there = [outcome for (outcome,) in self._database.rows(query, (key,))]
        if there and ("ok" in there or not answer.is_good):
            self._known += 1
            return
        self._database.rows("DELETE FROM attempts WHERE key = ?", (key,))
        query = "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.many(query, (self._row(key, each) for each in answer.attempts))
        self._taken += key
        self._answers += 1

    def _row(self, key: bytes, e: lines.Attempt) -> tuple[Any, ...]:
        texts = stored.seal(key, stored.pack(e.message, e.reply))
        return key, e.attempt, self._run, e.outcome, e.model, e.max_tokens, e.at, texts, e.prompt

    def _vector(self, key: bytes, line: lines.Vector) -> None:
        if self._database.rows("SELECT 1 FROM vectors WHERE key = ?", (key,)):
            self._known += 1
            return
        row = (key, stored.seal(key, line.data), line.model, line.at)
        self._database.rows("INSERT INTO vectors VALUES (?, ?, ?, ?)", row)
        self._taken += key
        self._vectors += 1

    def _note_uses(self) -> None:
        """What was imported is kept by ``prune --unused`` until programs have had their turn."""
        if self._taken:
            row = ("", key_of(str(self._run)), self._run, time.time(), bytes(self._taken))
            self._database.rows("INSERT INTO uses VALUES (?, ?, ?, ?, ?)", row)
