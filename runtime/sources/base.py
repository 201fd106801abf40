"""What a source is: a function that finds its inputs when called and reads when iterated.

A reader is called with the arguments of its declaration by their labels (``as`` and the like,
words of Python, with an underscore behind: ``as_``) and, where it has a parameter of that name,
a ``context``::

    def read(path: str | list[str], *, context: Context) -> Reading
    async def read(url: str) -> AsyncIterator[dict]        # as people write theirs

It gives an async iterator of ``Record``s, ``Unreadable``s, plain dicts, or lists of them.
Calling it touches no content: it raises ``UsageError`` where an input is missing, so that a
program's sources can all be opened before its first call of a model. Some can tell what their
files begin with, ``headers``, which is then looked at too. What cannot be read later
on is an ``Unreadable`` in its place, never an exception.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import msgspec
import trio
from msgspec import Struct

from dpipe.lang import types
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import row_fitter
from dpipe.runtime.sources.extent import Extent
from dpipe.runtime.sources.headers import Headers, refuse_missing
from dpipe.runtime.values import Given, Item, Reject, Row, Skipped, Values

BATCH = 256
"""Rows a batch: enough to make a thread's hop small beside the reading."""

STRETCH = 0.005
"""Seconds that a worker thread reads on for, as Python would let it run anyway."""

HEAVY = 1 << 20
"""Bytes of raw records that fill a batch, so that few long rows are in memory at once."""


class Context(Struct, frozen=True):
    """Where a reader is called: the source's name, the folder of its file, the project's."""

    name: str
    base: Path
    project: Path


class Record(Struct):
    """One record as it was read.

    ``identity`` tells it from others whatever its position: a whole file's path, else the raw
    record (equal records draw alike). ``cells`` tells that the values are texts of a table,
    to be read as the declared types.
    """

    values: Values
    identity: bytes | str
    place: str
    cells: bool = False


class Unreadable(Struct):
    """A file or record that cannot be read, and why; ``found`` is what stands there instead."""

    place: str
    message: str
    found: Values = {}


Read: TypeAlias = Record | Unreadable | Skipped
Batches: TypeAlias = Iterator[list[Read]]


class Reading:
    """What a built-in reader gives: its files, and batches that are made in a worker thread.

    Where the files tell of their rows before these are read, ``headers`` has that.
    A run that is cancelled does not wait for the thread: it reads to the end of its stretch,
    whose rows nobody gets.
    """

    def __init__(
        self,
        files: Iterable[Path],
        batches: Callable[[], Batches],
        headers: Headers | None = None,
    ) -> None:
        self.files = tuple(files)
        self.headers = headers
        self._batches = batches

    def through(self, change: Callable[[Read], Read], *further: Path) -> Reading:
        """The same reading with each item changed; it has ``further`` files."""

        def batches() -> Batches:
            found = self._batches()
            try:
                for batch in found:
                    yield [change(item) for item in batch]
            finally:
                found.close()  # type: ignore[attr-defined]

        return Reading((*self.files, *further), batches)

    async def __aiter__(self) -> AsyncIterator[list[Read]]:
        batches = self._batches()
        try:
            while read := await trio.to_thread.run_sync(_stretch, batches, abandon_on_cancel=True):
                for batch in read:
                    yield batch
        finally:
            with suppress(ValueError):  # it is still read
                batches.close()  # type: ignore[attr-defined]


def _stretch(batches: Batches) -> list[list[Read]]:
    """The next batches, as many as a stretch of time gives; none at the end."""
    until = perf_counter() + STRETCH
    read: list[list[Read]] = []
    for batch in batches:
        read.append(batch)
        if perf_counter() >= until:
            break
    return read


class Source:
    """An opened source; iterating it gives batches of rows and rejects in source order.

    ``files`` are those that it reads, as far as its reader tells.
    """

    def __init__(self, records: Any, context: Context, row: types.Record | None) -> None:
        self.files: tuple[Path, ...] = getattr(records, "files", ())
        self._records = records
        self._context = context
        self._row = row
        self._extent = Extent(self.files, context.project)

    def refuse_missing(self) -> None:
        """Look at the files' headers; raises ``UsageError`` where they lack a declared field."""
        if isinstance(self._records, Reading) and self._records.headers and self._row:
            refuse_missing(self._records.headers(), self._row)

    @property
    def share(self) -> float | None:
        """How much of its files has been read, from 0 to 1; None where there are none."""
        return self._extent.share

    async def __aiter__(self) -> AsyncIterator[Given]:
        take = _Taker(self._context.name, self._row)
        async with _closing(aiter(self._records)) as records:
            async for found in records:
                batch = found if isinstance(found, list) else [found]
                if batch and isinstance(last := batch[-1], Record):
                    self._extent.reach(last.place, last.identity)
                yield take(batch)


@asynccontextmanager
async def _closing(records: AsyncIterator[Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Closes what can be closed: a plain async iterator has no ``aclose``."""
    try:
        yield records
    finally:
        if hasattr(records, "aclose"):
            await records.aclose()


def open_source(
    read: Callable[..., Any],
    args: Mapping[str, Any],
    context: Context,
    row: types.Record | None,
) -> Source:
    """Call a reader; raises ``UsageError`` where its inputs are missing.

    ``row`` is the declared row type, against which each row is validated, or None.
    """
    given = {f"{label}_" if keyword.iskeyword(label) else label: args[label] for label in args}
    if "context" in inspect.signature(read).parameters:
        given["context"] = context
    records = read(**given)
    if not hasattr(records, "__aiter__"):
        message = f"its Python gives {type(records).__name__}, not rows"
        raise UsageError(message, hint="write it as `async def` with `yield`")
    return Source(records, context, row)


class _Taker:
    """Turns what a reader found into rows and rejects."""

    def __init__(self, name: str, row: types.Record | None) -> None:
        self.name = name
        self.count = 0
        self.fit = row and row_fitter(row)
        self.fit_cells = row and row_fitter(row, text=True)

    def __call__(self, found: list[Any]) -> Given:
        return [self.item(one) for one in found]

    def item(self, found: Read | Values) -> Item | Skipped:
        if isinstance(found, Skipped):
            return found
        if not isinstance(found, Record | Unreadable):
            found = self.plain(found)
        if isinstance(found, Unreadable):
            return Reject(self.name, "error", found.message, found.place, found.found)
        fit = self.fit_cells if found.cells else self.fit
        try:
            values = fit(found.values) if fit else found.values
        except Misfit as wrong:
            return Reject(self.name, "error", str(wrong), found.place, found.values)
        return Row(values, None, found.place, found.identity)

    def plain(self, found: Any) -> Record | Unreadable:
        """A record of a reader that gives dicts: told apart by content, placed by number."""
        self.count += 1
        return record_of(found, f"{self.name}[{self.count - 1}]")


def identity_of(values: Any) -> bytes:
    """The raw form of a record that has none of its own."""
    try:
        return msgspec.json.encode(values)
    except (TypeError, ValueError, RecursionError):
        return repr(values).encode("utf-8", "surrogatepass")


def batched(items: Iterator[Read], size: int = BATCH) -> Batches:
    """The items in lists of ``size``, of fewer where they are long; closes the items with itself.

    A record's length is that of its raw form.
    """
    batch: list[Read] = []
    weight = 0
    try:
        for item in items:
            batch.append(item)
            weight += len(item.identity) if item.__class__ is Record else 0
            if len(batch) >= size or weight > HEAVY:
                yield batch
                batch, weight = [], 0
        if batch:
            yield batch
    finally:
        if isinstance(items, Generator):
            items.close()


def record_of(value: Any, place: str) -> Record | Unreadable:
    """A record that has no raw form of its own."""
    if not isinstance(value, dict):
        return not_a_record(value, place)
    return Record(value, identity_of(value), place)


def not_a_record(value: Any, place: str) -> Unreadable:
    kind = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return Unreadable(place, f"expected a record, found {kind.get(type(value), 'a number')}")
