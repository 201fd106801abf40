"""The parts of a run with somebody who watches each: they do what they do without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from dpipe.lang import graph
from dpipe.runtime.ahead import Ahead, Stepping
from dpipe.runtime.answerers import Failed, Seat, Value
from dpipe.runtime.asking import Answering, Draw, Query, Question
from dpipe.runtime.executor import Concat, Feed, Part
from dpipe.runtime.stages.base import Outlet, Step, Task, Unwanted
from dpipe.runtime.stages.learning import Learning
from dpipe.runtime.tracing.marks import MarkedKey
from dpipe.runtime.tracing.watching import LookedAt, Originals, Trace, Watched, Watcher, watcher_of
from dpipe.runtime.values import Batch


def traced(index: int, node: graph.Node, part: Any, trace: Trace) -> Part:
    """The part of a node that is no sink, watched."""
    watcher = watcher_of(index, node, trace)
    if isinstance(node, graph.SourceNode):
        return TracedFeed(part, watcher)  # type: ignore[return-value]
    if isinstance(node, graph.ConcatNode):
        return TracedConcat(part, watcher)  # type: ignore[return-value]
    stage = part.inner if isinstance(part, Ahead) else part
    stage = stage.step if isinstance(stage, Learning | Stepping) else stage
    if hasattr(stage, "matches"):
        stage.matches = Originals(index, trace)
    return TracedStep(part, watcher) if hasattr(part, "feed") else TracedTask(part, watcher)


class TracedStep:
    def __init__(self, step: Step, watcher: Watcher) -> None:
        self.tally = step.tally
        self._step = step
        self._watcher = watcher

    @property
    def full(self) -> bool:
        return self._step.full

    def feed(self, batch: Batch) -> Batch:
        return self._watcher.made(self._step.feed(self._watcher.given(batch)))

    def finish(self) -> Batch:
        return self._watcher.made(self._step.finish())


class TracedTask:
    def __init__(self, task: Task, watcher: Watcher) -> None:
        self.tally = task.tally
        self._task = task
        self._watcher = watcher

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        watcher = self._watcher
        looked_at = {name: LookedAt(other, watcher) for name, other in others.items()}
        await self._task.run(Watched(rows, watcher), Numbered(out, watcher), looked_at)


class TracedFeed:
    def __init__(self, feed: Feed, watcher: Watcher) -> None:
        self.tally = feed.tally
        self._feed = feed
        self._watcher = watcher

    async def run(self, out: Outlet) -> None:
        await self._feed.run(Numbered(out, self._watcher))  # type: ignore[arg-type]


class TracedConcat:
    def __init__(self, concat: Concat, watcher: Watcher) -> None:
        self.tally = concat.tally
        self._concat = concat
        self._watcher = watcher

    async def run(self, lines: Sequence[AsyncIterator[Batch]], out: Outlet) -> None:
        given = [Watched(line, self._watcher) for line in lines]
        await self._concat.run(given, Numbered(out, self._watcher))  # type: ignore[arg-type]


class Numbered:
    """Where a node's batches go, each row under its number; all that a task needs of an end."""

    def __init__(self, out: Outlet, watcher: Watcher) -> None:
        self._out = out
        self._watcher = watcher

    async def put(self, batch: Batch) -> None:
        try:
            await self._out.put(self._watcher.made(batch))
        except Unwanted:
            self._watcher.unwanted()
            raise


class Overheard:
    """Puts the questions of one node's rows, and tells of each."""

    def __init__(self, asker: Answering, node: int, trace: Trace) -> None:
        self.recalls = 0
        self.rows_at_once = asker.rows_at_once
        self._asker = asker
        self._node = node
        self._trace = trace

    def query(
        self, seat: Seat, question: Question, draw: Draw, retry: Mapping[str, int], row: bytes
    ) -> Query:
        return self._asker.query(seat, question, draw, retry, row)

    def recalled(self, queries: Sequence[Query]) -> list[Value | Failed | None]:
        results = self._asker.recalled(queries)
        for query, result in zip(queries, results, strict=True):
            if result is not None:
                self._tell(query, result)
        return results

    async def ask(self, query: Query) -> Value | Failed:
        result = await self._asker.ask(query)
        self._tell(query, result)
        return result

    async def got_over(self, query: Query, failure: Failed) -> None:
        await self._asker.got_over(query, failure)

    def is_got_over(self, query: Query) -> bool:
        return self._asker.is_got_over(query)

    def _tell(self, query: Query, result: Value | Failed) -> None:
        if isinstance(query.row, MarkedKey):
            self._trace.heard(self._node, query.row.id, query, result)
