"""A sink at work: it binds each row's record, writes it, and puts rejects beside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from itertools import product
from keyword import iskeyword
from pathlib import Path
from typing import Any, Protocol

import trio

from dpipe.lang import graph, types
from dpipe.runtime.errors import Misfit, NoValue
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.figures import Figures, Vectors
from dpipe.runtime.ledger import Tally
from dpipe.runtime.metrics.base import Metric
from dpipe.runtime.places import SinkPath, folder_of
from dpipe.runtime.python import load
from dpipe.runtime.sinks.base import ManyWriter, Writer
from dpipe.runtime.sinks.files import Output, PartialFile, PartialFolder
from dpipe.runtime.sinks.rejects import Rejects
from dpipe.runtime.sinks.stream import StandardOutput, Stream
from dpipe.runtime.standing import Spared, Standing
from dpipe.runtime.values import Batch, Reject, Row, Values, key_of

Bound = Callable[[Row], Values]


class Told(Protocol):
    """Whom a sink tells what becomes of its rows."""

    def rejected(self, reject: Reject) -> None: ...

    def written(self, path: Path, rows: int) -> None: ...


class Writing:
    """One sink. Its files take their names when ``run`` has seen the last row.

    ``files`` are then the rows of each. Where what stands there is ``spared``, they stay partial.
    """

    def __init__(
        self,
        node: graph.SinkNode,
        expressions: Expressions,
        vectors: Vectors,
        told: Told,
        *,
        seed: int = 0,
        publishes: bool = True,
    ) -> None:
        self.tally = Tally()
        self._publishes = publishes
        self.label = node.name
        self.base = folder_of(node)
        self.files: dict[Path, int] = {}
        self._writers: dict[Path, Counted] = {}
        self.rejects: Rejects | None = None
        self.rejected = 0
        self._node = node
        self._told = told
        self._bound = _bound(node, expressions, seed)
        self._options = {
            f"{name}_" if iskeyword(name) else name: expressions.constant(value)
            for name, value in node.options
        }
        self._class = load(node.target)
        self._figures = Figures(node.metrics, expressions, vectors) if node.metrics else None
        self._groups: dict[Hashable, tuple[Values, list[Metric]]] = {}
        self._output: Output | Stream | None = None
        self._standing: Standing | None = None
        self.spared: Spared | None = None

    def open(
        self,
        path: SinkPath | None,
        rejects: Path,
        previous: list[Path],
        within: Path | None,
        taken: set[Path],
        standing: Standing | None = None,
    ) -> None:
        """Begin the files; ``previous`` are those of the sink's earlier run.

        All must lie below ``within``, links followed, and none among the ``taken``, to which they
        are added. Without a path the rows go to the standard output. What is ``standing`` there
        may be worth more than the files.
        """
        self._standing = standing
        if path is None:
            self._output = Stream(self._writer)
        else:
            self._output = self._files(path, previous, within, taken)
        self.rejects = Rejects(rejects)
        for values in self._known():
            self._group(values)

    def _files(
        self, path: SinkPath, previous: list[Path], within: Path | None, taken: set[Path]
    ) -> Output:
        return Output(
            self._writer,
            path.of,
            self._node.partition,
            previous,
            within,
            folder=path.folder,
            taken=taken,
        )

    async def run(self, rows: AsyncIterator[Batch]) -> None:
        """Write all rows, then give the files their names."""
        async for batch in rows:
            await self._write(batch)
        self._complete()
        await self._publish()

    def flush(self) -> None:
        """Make what is written so far readable."""
        if self._output and self.rejects:
            self._output.flush()
            self.rejects.flush()

    def abandon(self) -> None:
        """Leave what is written in the partial files."""
        if self._output and self.rejects:
            self._output.abandon()
            self.rejects.abandon()

    def foresee(self, row: Row) -> None:
        """Work out what will be written of a row, or counted; raises ``NoValue``."""
        if self._figures is None:
            self._bound(row)
        else:
            self._figures.of_row(row)

    # -- rows ------------------------------------------------------------------------------------

    async def _write(self, batch: Batch) -> None:
        rows = [item for item in batch if isinstance(item, Row)]
        self.tally.entered += len(rows)
        if self._figures is None and self._put_all(rows):
            batch = [item for item in batch if isinstance(item, Reject)]
        values = iter(await self._figures.values(rows)) if self._figures else None
        for item in batch:
            if isinstance(item, Reject):
                self.reject(item)
            elif isinstance(item, Row):
                if values is None:
                    self._put(item)
                else:
                    self._count(item, next(values))

    def _put_all(self, rows: Sequence[Row]) -> bool:
        """Write rows at once; False, and nothing is written, where each is to be put by itself."""
        assert self._output is not None
        try:
            records = [self._bound(row) for row in rows]
        except NoValue:
            return False
        if not self._output.put_all(records):
            return False
        self.tally.passed += len(rows)
        self.tally.left += len(rows)
        return True

    def _put(self, row: Row) -> None:
        assert self._output is not None
        try:
            self._output.put(self._bound(row), row.values)
        except (Misfit, NoValue) as reason:
            self._fail(row, str(reason))
        else:
            self._passed()

    def _count(self, row: Row, values: list[Any] | str) -> None:
        """Feed a row's values to the report of its partition."""
        if isinstance(values, str):
            self._fail(row, values)
            return
        for metric, value in zip(self._group(row.values), values, strict=True):
            metric.add(value)
        self._passed()

    def _passed(self) -> None:
        self.tally.passed += 1
        self.tally.left += 1

    def _fail(self, row: Row, reason: str) -> None:
        self.tally.lose("failed:error")
        self.reject(Reject(self.label, "error", reason, row.place, row.values))

    def reject(self, reject: Reject) -> None:
        """Put what could not go on beside."""
        assert self.rejects is not None
        self.rejects.put(reject)
        self.rejected += 1
        self._told.rejected(reject)

    # -- reports ---------------------------------------------------------------------------------

    def _group(self, values: Mapping[str, Any]) -> list[Metric]:
        if self._figures is None:
            return []
        names = [field.name for field in self._node.partition]
        of = tuple(repr(values.get(name)) for name in names)
        if of not in self._groups:
            part = {name: values.get(name) for name in names}
            self._groups[of] = (part, self._figures.start())
        return self._groups[of][1]

    def _known(self) -> Iterator[Values]:
        """The partitions that have a report even without rows."""
        fields = self._node.partition
        members = [field.type.values for field in fields if isinstance(field.type, types.Enum)]
        if len(members) == len(fields):
            names = [field.name for field in fields]
            yield from (dict(zip(names, values, strict=True)) for values in product(*members))

    # -- the end ---------------------------------------------------------------------------------

    def _complete(self) -> None:
        assert self._output is not None
        assert self.rejects is not None
        if self._figures:
            for values, metrics in self._groups.values():
                self._output.put(self._figures.shown(metrics), values)
        self.spared = self._spared(self._output)
        for path in () if self.spared else self._output.complete():
            self.files[path] = self._writers[path].rows
            self._told.written(path, self.files[path])
        if self.spared and self.spared.for_sample:
            self.rejects.finish()
        else:
            self.rejects.complete()

    async def _publish(self) -> None:
        """Let writers that have somewhere to put complete files do so, unless rows are a sample."""
        for path in self.files if self._publishes else ():
            if publish := self._writers[path].publish:
                await trio.to_thread.run_sync(publish, path, abandon_on_cancel=True)

    def _spared(self, output: Output | Stream) -> Spared | None:
        """What stands in the place of the files and is worth more; they then stay partial."""
        if self._standing is None or isinstance(output, Stream):
            return None
        rows = {path: writer.rows for path, writer in self._writers.items()}
        spared = self._standing.spared(rows)
        if spared is not None:
            output.finish()
        return spared

    def _writer(self, out: PartialFile | PartialFolder | StandardOutput) -> Writer:
        writer = Counted(self._class(out, self._node.row, **self._options))
        self._writers[out.path] = writer
        return writer


class Counted(ManyWriter):
    """A writer whose records are counted."""

    def __init__(self, writer: Writer) -> None:
        self.rows = 0
        self.publish: Callable[[Path], None] | None = getattr(writer, "publish", None)
        self._writer = writer

    def put(self, record: Values) -> None:
        self._writer.put(record)
        self.rows += 1

    def put_all(self, records: Sequence[Values]) -> bool:
        """``put`` for many, where the writer has that; as its ``put_all``."""
        if not (isinstance(self._writer, ManyWriter) and self._writer.put_all(records)):
            return False
        self.rows += len(records)
        return True

    def close(self) -> None:
        self._writer.close()


def _bound(node: graph.SinkNode, expressions: Expressions, seed: int) -> Bound:
    """What the writer is given of a row: the whole, or the fields that are bound."""
    if node.fields is None:
        return lambda row: row.values
    fields = [
        (name, expressions.over(value, key_of("sink", str(seed), name)))
        for name, value in node.fields
    ]

    def bound(row: Row) -> Values:
        record: Values = {}
        for name, value in fields:
            try:
                record[name] = value(row)
            except NoValue as reason:
                raise NoValue(f"`{name}:` {reason}") from None
        return record

    return bound
