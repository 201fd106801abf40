"""The journal: every reply of every run, the truth that a run is computed from.

One SQLite file in WAL mode. ``record`` returns once its entry is committed, so a reply that a row
used survives SIGKILL. Commits are not synced one by one: the log is synced when a second has
passed since the last time, so a power cut costs at most about that second. Entries that arrive
together share a commit.

Several programs, threads and processes may use the file at once. Keys are random, so the entries
lie in the order of their arrival, with a small index beside them: writing stays local however
large the journal grows.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio
from msgspec import Struct

from dpipe.runtime import stored
from dpipe.runtime.database import BUSY_SECONDS, Database, Held, damaged
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.protocol import Reply

SYNC_SECONDS = 1.0
FLUSH_SECONDS = 1.0
"""How long the end of a run waits for another program that writes."""
LOOKED_UP_AT_ONCE = 500

_RECALL = (
    "SELECT key, attempt, run, outcome, model, max_tokens, at, texts FROM attempts"
    " WHERE key IN ({}) ORDER BY key, attempt"
)
_RECALL_VECTORS = "SELECT key, vector FROM vectors WHERE key IN ({})"
_FORGET = "DELETE FROM attempts WHERE key = ? AND attempt >= ?"
_RECORD = "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_USE = "REPLACE INTO uses VALUES (?, ?, ?, ?, ?)"
_USED = "SELECT keys FROM uses WHERE program = ? AND variant = ?"


class Recorded(Struct, frozen=True):
    """One attempt at a call; ``reply`` is None where none came. ``at`` is seconds since 1970.

    ``run`` is the number of the run that made it, ``model`` the scope of who answered, ``prompt``
    the name of what was asked, for people.
    """

    attempt: int
    run: int
    outcome: str
    message: str = ""
    reply: Reply | None = None
    max_tokens: int | None = None
    at: float = 0.0
    model: str = ""
    prompt: str = ""


class Vector(Struct, frozen=True):
    """A text's vector as float32 bytes, and the scope of the embedder that made it."""

    data: bytes
    model: str = ""
    at: float = 0.0


class _Batch:
    """Entries that share a commit. ``chains`` hold, per key, attempts that follow each other."""

    def __init__(self) -> None:
        self.chains: dict[bytes, list[Recorded]] = {}
        self.vectors: dict[bytes, Vector] = {}
        self.wanted = trio.Event()
        self.done = trio.Event()
        self.error: UsageError | None = None

    def __bool__(self) -> bool:
        return bool(self.chains or self.vectors)


class Journal:
    """The journal of a project, as one program uses it.

    ``serve`` is the writing task; where it does not run, an entry is written by who records it.
    ``close`` writes what is still waiting, so a reply handed over is kept even where the task
    that brought it was cancelled. What a run recalls or records it has used, and that is kept
    when it ends or is stopped.
    """

    def __init__(self, path: Path, program: str, reader: Database, writer: Database) -> None:
        self.path = path
        self.program = program
        self.run: int | None = None
        self._reader = reader
        self._writer = writer
        self._lock = threading.Lock()
        self._open = _Batch()
        self._writing = _Batch()
        self._serving = False
        self._stopping = False
        self._unsynced = False
        self._used = bytearray()
        self._variant = b""
        self._look_at_runs()

    @classmethod
    def open(cls, path: Path, *, program: str) -> Journal:
        """The journal at ``path``, made if there is none.

        Raises ``UsageError`` for a file that is damaged, newer than this dpipe, or no journal.
        """
        with ExitStack() as opened:
            writer = opened.enter_context(closing(Database(path)))
            stored.prepare(writer)
            reader = opened.enter_context(closing(Database(path)))
            journal = cls(path, program, reader, writer)
            opened.pop_all()
        return journal

    # -- reading -----------------------------------------------------------------------------

    def recall(self, key: bytes) -> list[Recorded]:
        """The attempts at a call in their order, those still waiting to be written included."""
        return self.recall_all([key]).get(key, [])

    def recall_all(self, keys: Iterable[bytes]) -> dict[bytes, list[Recorded]]:
        """``recall`` for many calls; those without attempts are left out."""
        wanted = list(dict.fromkeys(keys))
        chains: dict[bytes, list[Recorded]] = {}
        for key, *row in self._found(_RECALL, wanted):
            chains.setdefault(key, []).append(_recorded(self.path, key, row))
        for batch in (self._writing, self._open):
            for key in wanted if batch.chains else ():
                for entry in batch.chains.get(key, ()):
                    chains[key] = _followed(chains.get(key, []), entry)
        self._used += b"".join(chains)
        return chains

    def recall_vectors(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The vectors that are known, as float32 bytes; unknown keys are left out."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, bytes] = {}
        for key, sealed in self._found(_RECALL_VECTORS, wanted):
            found[key] = _unsealed(self.path, key, sealed)
        for batch in (self._writing, self._open):
            new = batch.vectors
            found.update((key, new[key].data) for key in wanted if key in new)
        self._used += b"".join(found)
        return found

    def _found(self, query: str, keys: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        """The rows of a query for some keys, of which one statement takes only so many."""
        for start in range(0, len(keys), LOOKED_UP_AT_ONCE):
            part = keys[start : start + LOOKED_UP_AT_ONCE]
            yield from self._reader.rows(query.format(",".join("?" * len(part))), part)

    def ended(self, run: int) -> bool:
        """Whether a run came to its end, itself or by a later one of its program.

        As it was when this run began: what other programs do meanwhile changes no answer.
        """
        return run <= self._newest and run not in self._cut_off

    # -- writing -----------------------------------------------------------------------------

    async def record(
        self,
        key: bytes,
        attempt: int,
        *,
        outcome: str,
        message: str = "",
        reply: Reply | None = None,
        max_tokens: int | None = None,
        model: str = "",
        prompt: str = "",
    ) -> None:
        """Keep an attempt; returns when it is committed, and keeps it even if cancelled.

        It takes the place of that attempt and of all later ones at the same call. Raises
        ``UsageError`` where the file cannot be written.
        """
        assert self.run is not None, "record before begin_run"
        now = time.time()
        entry = Recorded(attempt, self.run, outcome, message, reply, max_tokens, now, model, prompt)
        if attempt == 0:
            self._used += key
        chains = self._open.chains
        chains[key] = _followed(chains.get(key, []), entry)
        await self._written()

    async def record_vectors(self, vectors: Mapping[bytes, bytes], *, model: str = "") -> None:
        """Keep vectors (float32 bytes) by their keys; as ``record``."""
        if vectors:
            now = time.time()
            self._used += b"".join(vectors)
            self._open.vectors.update((k, Vector(v, model, now)) for k, v in vectors.items())
            await self._written()

    @property
    def is_idle(self) -> bool:
        """Whether every entry is committed."""
        return not (self._open or self._writing)

    async def _written(self) -> None:
        batch = self._open
        batch.wanted.set()
        if not self._serving:
            self._flush()
        await batch.done.wait()
        if batch.error is not None:
            raise UsageError(batch.error.message, hint=batch.error.hint)

    async def serve(self) -> None:
        """The writing task: ends, with everything written, on ``stop`` or when cancelled.

        Raises the ``UsageError`` of a file that cannot be written: such a run must stop.
        """
        own_thread = trio.CapacityLimiter(1)
        synced = trio.current_time()
        self._serving = True
        try:
            while not self._stopping:
                with trio.move_on_after(SYNC_SECONDS if self._unsynced else math.inf):
                    await self._open.wanted.wait()
                await self._commit_open()
                if self._unsynced and trio.current_time() - synced >= SYNC_SECONDS:
                    with trio.CancelScope(shield=True):
                        await trio.to_thread.run_sync(self._sync, limiter=own_thread)
                    synced = trio.current_time()
        finally:
            self._serving = False
            self._flush()

    def stop(self) -> None:
        """Let ``serve`` write what is waiting and end."""
        self._stopping = True
        self._open.wanted.set()

    async def _commit_open(self) -> None:
        """Commit what is open, when no other program writes.

        It is done here: a thread would wait for the interpreter at each entry.
        """
        batch = self._take()
        deadline = time.monotonic() + BUSY_SECONDS
        wait = 0.001
        while not self._write(batch, patience=0, is_last=time.monotonic() >= deadline):
            await trio.sleep(wait)
            wait = min(2 * wait, 0.05)
        self._settle(batch)

    def _flush(self) -> None:
        """Write what is waiting, here and now; another program is not waited for long."""
        for batch in (self._writing, self._take()):
            self._writing = batch
            self._write(batch, patience=FLUSH_SECONDS)
            self._settle(batch)

    def _take(self) -> _Batch:
        """Close the open batch and start another; only where the entries are recorded."""
        self._writing, self._open = self._open, _Batch()
        return self._writing

    def _settle(self, batch: _Batch) -> None:
        """Tell those who wait for the batch; raise its error, for they may all be cancelled."""
        self._writing = _Batch()
        batch.done.set()
        if batch.error is not None:
            raise batch.error

    def _write(self, batch: _Batch, *, patience: float, is_last: bool = True) -> bool:
        """Commit a batch or keep why not; False where another program writes and one may wait."""
        try:
            if batch:
                self._commit(batch, patience)
        except Held as error:
            if not is_last:
                return False
            batch.error = error
        except UsageError as error:
            batch.error = error
        return True

    def _commit(self, batch: _Batch, patience: float) -> None:
        first = [(key, chain[0].attempt) for key, chain in batch.chains.items()]
        with self._lock, self._writer.transaction(patience=patience):
            self._writer.many(_FORGET, first)
            self._writer.many(_RECORD, _stored(batch))
            self._writer.many("REPLACE INTO vectors VALUES (?, ?, ?, ?)", _sealed(batch.vectors))
        self._unsynced = True

    def _sync(self) -> None:
        self._unsynced = False
        with self._lock:
            self._writer.sync()

    # -- runs --------------------------------------------------------------------------------

    def begin_run(self, id: str, variant: bytes = b"") -> int:
        """Number this run; it counts as cut off until ``end_run``.

        Runs of one ``variant`` make the same datasets: the last one tells what they use.
        """
        query = "INSERT INTO runs (id, program, began) VALUES (?, ?, ?) RETURNING number"
        with self._lock, self._writer.transaction():
            [(number,)] = self._writer.rows(query, (id, self.program, time.time()))
        self._look_at_runs()
        self._used.clear()
        self._variant = variant
        self.run = int(number)
        return self.run

    def end_run(self, *, whole: bool = True) -> None:
        """End this run and, with it, every earlier one of this program that was cut off.

        ``whole`` where every row came to its end: it then has used all that its outputs need.
        """
        query = "UPDATE runs SET ended = ? WHERE program = ? AND number <= ? AND ended IS NULL"
        with self._lock, self._writer.transaction():
            self._writer.rows(query, (time.time(), self.program, self.run))
            self._keep_uses(whole=whole)
        self._look_at_runs()
        self.run = None

    def _keep_uses(self, *, whole: bool) -> None:
        """Note which answers this run used; one that is not whole adds to what is noted.

        A key may be in it twice; what is added to again and again has each once.
        """
        of = (self.program, self._variant)
        keys = bytes(self._used)
        if not whole:
            noted = [keys for (keys,) in self._writer.rows(_USED, of)]
            keys = b"".join(dict.fromkeys(stored.keys_in(b"".join([*noted, keys]))))
        self._writer.rows(_USE, (*of, self.run, time.time(), keys))

    def _look_at_runs(self) -> None:
        rows = self._reader.rows("SELECT number, ended FROM runs")
        self._newest = max((number for number, _ in rows), default=0)
        self._cut_off = frozenset(number for number, ended in rows if ended is None)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Write what is still waiting and let go of the file."""
        try:
            self._flush()
            if self.run is not None:
                with suppress(UsageError), self._lock:  # the answers themselves are kept
                    self._keep_uses(whole=False)
            self._writer.sync()
        finally:
            self._reader.close()
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _followed(chain: list[Recorded], entry: Recorded) -> list[Recorded]:
    """The chain with an entry in its place; what came after that place is gone."""
    return [*(old for old in chain if old.attempt < entry.attempt), entry]


def _stored(batch: _Batch) -> Iterator[tuple[Any, ...]]:
    for key, chain in batch.chains.items():
        for e in chain:
            texts = stored.seal(key, stored.pack(e.message, e.reply))
            yield key, e.attempt, e.run, e.outcome, e.model, e.max_tokens, e.at, texts, e.prompt


def _sealed(vectors: Mapping[bytes, Vector]) -> Iterator[tuple[bytes, bytes, str, float]]:
    return ((key, stored.seal(key, v.data), v.model, v.at) for key, v in vectors.items())


def _recorded(path: Path, key: bytes, row: Sequence[Any]) -> Recorded:
    attempt, run, outcome, model, max_tokens, at, sealed = row
    message, reply = stored.unpack(_unsealed(path, key, sealed))
    return Recorded(attempt, run, outcome, message, reply, max_tokens, at, model)


def _unsealed(path: Path, key: bytes, sealed: bytes) -> bytes:
    try:
        return stored.unseal(key, sealed)
    except ValueError as error:
        raise damaged(path, f"an answer cannot be read, {error}") from None
