"""A sink that writes elsewhere what it wrote, and notes which record is of which row."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from msgspec.structs import replace

from dpipe.runtime.paths import safe_name
from dpipe.runtime.places import SinkPath, real_place
from dpipe.runtime.render import render
from dpipe.runtime.tracing.lineage import Id
from dpipe.runtime.tracing.marks import Mark, id_of
from dpipe.runtime.tracing.watching import Trace, Watcher
from dpipe.runtime.values import Batch, Item, Reject, Row, Values
from dpipe.runtime.writing import Writing


class Heeded:
    """Whom a sink tells what becomes of its rows; ``rejects`` are those since the last look."""

    def __init__(self) -> None:
        self.rejects: deque[Reject] = deque()

    def rejected(self, reject: Reject) -> None:
        self.rejects.append(reject)

    def written(self, path: Path, rows: int) -> None: ...


class TracedSink:
    """Rows go through the real sink, and what it rejects tells which of them it wrote.

    Of a sink that writes a folder ``in_folder`` tells the file of a row in it.
    """

    def __init__(
        self,
        node: int,
        writing: Writing,
        told: Heeded,
        path: SinkPath,
        trace: Trace,
        in_folder: Callable[[Values], str] | None,
    ) -> None:
        self.tally = writing.tally
        self._writing = writing
        self._told = told
        self._path = path
        self._trace = trace
        self._watcher = Watcher(node, trace)
        self._node = node
        self._rejected = trace.rejected.setdefault(writing.label, [])
        self._in_folder = in_folder
        self._files: dict[tuple[tuple[str, ...], str], Path] = {}

    async def run(self, rows: AsyncIterator[Batch]) -> None:
        async with aclosing(self._each(rows)) as each:
            await self._writing.run(each)

    async def _each(self, rows: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
        async for batch in rows:
            self._watcher.given(batch)
            yield [_bare(item) for item in batch]
            for item in batch:
                self._note(item)

    def _note(self, item: Item) -> None:
        """What has become of an item that the sink is through with."""
        if isinstance(item, Reject):
            self._told.rejects.popleft()
            if isinstance(item.place, Mark):
                self._rejected.append((item.place.ended, item.place.id))
        elif isinstance(item, Row) and (id := id_of(item.place)) is not None:
            if self._has_failed(item):
                self._fail(id, self._told.rejects.popleft())
            else:
                self._trace.written.setdefault(self._of(item), array("q")).append(id)

    def _has_failed(self, row: Row) -> bool:
        """Whether the next reject is the sink's own, of this row.

        That of a stage may have the same place and values: of `concat(f, f | ask(…))`, say.
        """
        if not self._told.rejects:
            return False
        reject = self._told.rejects[0]
        of_sink = reject.stage == self._writing.label
        return of_sink and reject.place == row.place and reject.row == row.values

    def _fail(self, id: Id, reject: Reject) -> None:
        self._rejected.append((self._node, id))
        if id in self._trace.wanted:
            self._trace.rejects[self._node, id] = reject

    def _of(self, row: Row) -> Path:
        """The file that the row goes to."""
        values = tuple(render(row.values.get(name)) for name in self._path.fields)
        within = self._in_folder(row.values) if self._in_folder else ""
        if (values, within) not in self._files:
            names = dict(zip(self._path.fields, map(safe_name, values), strict=True))
            self._files[values, within] = real_place(self._path.of(names) / within)
        return self._files[values, within]


def _bare(item: Item) -> Item:
    """The item as a sink may write it, without marks."""
    if isinstance(item, Reject):
        return replace(item, place=str(item.place))
    return Row(item.values, item.key, str(item.place)) if isinstance(item, Row) else item


def moved(path: SinkPath, folder: Path) -> SinkPath:
    """The sink's path below another folder, which stands for the root of all."""

    def of(values: Mapping[str, str]) -> Path:
        return below(folder, path.of(values))

    return replace(path, of=of)


def below(folder: Path, file: Path) -> Path:
    """Where a file that is moved below a folder lies."""
    return folder.joinpath(*file.absolute().parts[1:])
