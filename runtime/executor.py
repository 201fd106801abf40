"""Runs the nodes of a program: the one place that opens the run's nursery.

Sources, stages that wait, concats and sinks are tasks; steps run inside the ``put`` of the task
before them. It knows no file, model or journal: those are behind the parts that it is given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from math import inf
from typing import Any, Protocol, Self, TypeAlias

import trio

from dpipe.lang.graph import ConcatNode, Graph, Input, RoundNode, SourceNode, StageNode, label_of
from dpipe.runtime.canary import Canary, Seen
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.events import NodeCount
from dpipe.runtime.fit import Fitter
from dpipe.runtime.flow import DEPTH, End, Fused, Line, Tee, put_all, rows_in
from dpipe.runtime.ledger import Tally
from dpipe.runtime.plan import Edge, Wiring, only_looked_at, unbounded
from dpipe.runtime.stages.base import Step, Task, Unwanted
from dpipe.runtime.values import Batch, Given, Item, Reject, Row, Skipped, key_of


class Batches(Protocol):
    """A source, opened; ``share`` of its input has been read, from 0 to 1, if it can tell."""

    @property
    def share(self) -> float | None: ...

    def __aiter__(self) -> AsyncIterator[Given]: ...


class Sink(Protocol):
    tally: Tally

    async def run(self, rows: AsyncIterator[Batch]) -> None: ...


class Feed:
    """A source at work; with ``sample`` it ends after so many rows.

    A ``canary`` holds it back behind its first ones.
    """

    def __init__(self, batches: Batches, sample: int | None = None) -> None:
        self.tally = Tally()
        self.canary: Canary | None = None
        self._batches = batches
        self._sample = inf if sample is None else sample
        self._left = self._sample
        self._ended = False

    @property
    def share(self) -> float | None:
        """How much of what it will give it has given, from 0 to 1, if that is known."""
        if self._ended:
            return 1.0
        return self._batches.share if self._sample == inf else 1 - self._left / self._sample

    async def run(self, out: End) -> None:
        async with aclosing(aiter(self._batches)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                if self.canary is not None:
                    batch = await self._behind(self.canary, batch, out)
                if batch:
                    await out.put(self._taken(batch))
                if self._left <= 0:
                    break
        self._ended = True

    async def _behind(self, canary: Canary, batch: Given, out: End) -> Given:
        """What of a batch is not among the first rows, when those are through."""
        if (ahead := canary.rows - self.tally.entered) >= len(batch):
            return batch
        if ahead > 0:
            await out.put(self._taken(batch[:ahead]))
        if self._left > 0:
            await canary.wait()
        return batch[max(ahead, 0) :] if self._left > 0 else []

    def _taken(self, batch: Given) -> Batch:
        """What is given of a batch, counted; what is skipped nobody else sees."""
        if rows_in(batch) >= self._left:
            ends = [end for end, item in enumerate(batch, 1) if item.__class__ is Row]
            batch = batch[: ends[int(self._left) - 1]]
        rows = rows_in(batch)
        self._left -= rows
        self.tally.entered += len(batch)
        self.tally.passed += rows
        self.tally.left += rows
        for item in batch if rows < len(batch) else ():
            if isinstance(item, Reject):
                self.tally.lose(f"failed:{item.outcome}")
            elif isinstance(item, Skipped):
                self.tally.lose("filtered")
        return [item for item in batch if not isinstance(item, Skipped)]


class Concat:
    """The rows of each input, one input after the other; the branch becomes part of identity."""

    def __init__(self) -> None:
        self.tally = Tally()

    async def run(self, lines: Sequence[AsyncIterator[Batch]], out: End) -> None:
        for branch, line in enumerate(lines):
            async for batch in line:
                count = rows_in(batch)
                self.tally.entered += count
                self.tally.passed += count
                self.tally.left += count
                await out.put([_in_branch(item, str(branch)) for item in batch])


def _in_branch(item: Item, branch: str) -> Item:
    if not isinstance(item, Row):
        return item
    return Row(item.values, key_of(item.key, branch), item.place)


class Check:
    """A step that holds each row against the type that its flow declares; changes nothing."""

    full = False

    def __init__(self, label: str, fits: Fitter) -> None:
        self.tally = Tally()
        self._label = label
        self._fits = fits

    def feed(self, batch: Batch) -> Batch:
        return [self._checked(item) if isinstance(item, Row) else item for item in batch]

    def finish(self) -> Batch:
        return []

    def _checked(self, row: Row) -> Row | Reject:
        self.tally.entered += 1
        try:
            self._fits(row.values)
        except Misfit as wrong:
            self.tally.lose("failed:error")
            return Reject(self._label, "error", str(wrong), row.place, row.values)
        self.tally.passed += 1
        self.tally.left += 1
        return row


Part: TypeAlias = Feed | Concat | Step | Task | Sink
"""What runs a node."""

Service: TypeAlias = Callable[[], Awaitable[Any]]
"""What runs beside the rows (the journal's writer, progress), and is cancelled after them."""


class Executor:
    """Wires the parts of a run and runs them. One executor runs once.

    A ``canary`` sees what leaves each node, and holds back every source.
    """

    def __init__(
        self,
        program: Graph,
        wiring: Wiring,
        parts: Mapping[int, Part],
        canary: Canary | None = None,
    ) -> None:
        self._program = program
        self._wiring = wiring
        self._parts = parts
        self._canary = canary
        for part in parts.values():
            if isinstance(part, Feed):
                part.canary = canary
        self._lines: dict[Edge, Line] = {}
        steps = [index for index in wiring.nodes if _is_step(parts[index])]
        self._unbounded = unbounded(program, wiring, steps)
        self._ends = {
            index: self._end_of(index)
            for index in wiring.nodes
            if wiring.readers[index] and index not in steps
        }
        self._running = 0

    async def run(self, services: Sequence[Service] = ()) -> None:
        """Run until every row is where it belongs; the counts are then in balance.

        Exceptions come in groups, as the nursery makes them; ``unwrapped`` takes them out.
        """
        async with trio.open_nursery() as nursery:
            for service in services:
                nursery.start_soon(service)
            for index in self._wiring.nodes:
                if not _is_step(self._parts[index]):
                    self._running += 1
                    nursery.start_soon(self._task, index, nursery.cancel_scope)
        self._assert_balance()

    def counts(self) -> tuple[NodeCount, ...]:
        """The nodes in their order, as they stand."""
        return tuple(
            _count(label_of(self._program.nodes[index]), self._parts[index].tally)
            for index in self.order
        )

    @property
    def order(self) -> tuple[int, ...]:
        """The indices of the nodes that run, as ``counts`` has them."""
        return self._wiring.nodes

    # -- wiring ----------------------------------------------------------------------------------

    def _end_of(self, index: int) -> End:
        """Where a node's rows go."""
        ends = [self._into(edge) for edge in self._wiring.readers[index]]
        end = ends[0] if len(ends) == 1 else Tee(ends, self._wiring.rejects_to[index])
        return Seen(end, self._canary) if self._canary else end

    def _into(self, edge: Edge) -> End:
        part = self._parts[edge.reader]
        if _is_step(part):
            carries = edge.reader in self._wiring.carrying
            return Fused(part, self._end_of(edge.reader), carries=carries)  # type: ignore[arg-type]
        depth = inf if edge in self._unbounded else DEPTH
        # rows may leave a loop before they come to what is full
        leave = isinstance(self._program.nodes[edge.reader], RoundNode)
        onward = None if leave else lambda: self._ends.get(edge.reader)
        line = self._lines[edge] = Line(self._tally_over(edge), depth, onward)
        return line

    def _tally_over(self, edge: Edge) -> Tally | None:
        """The count that rows over an edge go into: none where they are only looked at."""
        looked_at = only_looked_at(self._program.nodes[edge.reader], edge.slot)
        return None if looked_at else self._parts[edge.reader].tally

    # -- tasks -----------------------------------------------------------------------------------

    async def _task(self, index: int, run: trio.CancelScope) -> None:
        lines = [self._lines[edge] for edge in sorted(self._lines) if edge.reader == index]
        out = self._ends.get(index)
        try:
            await self._work(index, lines, out)
        except Unwanted:
            _count_surplus(self._parts[index].tally)
        for line in lines:
            line.leave()
        if out is not None:
            await out.close()
        self._running -= 1
        if not self._running:
            run.cancel()

    async def _work(self, index: int, lines: Sequence[Line], out: End | None) -> None:
        part: Any = self._parts[index]
        node = self._program.nodes[index]
        match node:
            case SourceNode():
                await part.run(out)
            case ConcatNode():
                await part.run(lines, out)
            case StageNode():
                assert out is not None
                others = dict(zip(_inputs(node), map(LookedAt, lines[1:]), strict=True))
                await part.run(lines[0], out, others)
                for other in others.values():
                    await put_all(other.passing, out)
            case RoundNode():
                await part.run(lines[0], out, {})
            case _:
                await part.run(lines[0])

    def _assert_balance(self) -> None:
        for count in self.counts():
            assert count.in_flight == 0, f"rows of {count.label} are not accounted for: {count}"


class LookedAt:
    """The rows of another flow, as a stage sees them.

    What is no row goes on behind the stage's own rows.
    """

    def __init__(self, line: Line) -> None:
        self.passing: Batch = []
        self._line = line

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        batch = await anext(self._line)
        self.passing += [item for item in batch if not isinstance(item, Row)]
        return [item for item in batch if isinstance(item, Row)]


def _inputs(node: StageNode) -> Iterator[str]:
    """The names of the arguments that are flows, in the order of ``inputs_of``."""
    return (name for name, arg in node.args.items() if isinstance(arg, Input))


def _is_step(part: Part) -> bool:
    return hasattr(part, "feed")


def _count_surplus(tally: Tally) -> None:
    """What a task had under way when nobody wanted more of it."""
    under_way = tally.entered - tally.passed - tally.reasons.total()
    if under_way:
        tally.lose("surplus", under_way)


def _count(label: str, tally: Tally) -> NodeCount:
    in_flight = tally.entered - tally.passed - tally.reasons.total()
    return NodeCount(label, tally.entered, tally.passed, tally.left, dict(tally.reasons), in_flight)


@contextmanager
def unwrapped() -> Iterator[None]:
    """The one exception that a run ended with: what the user must mend before all else."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _chief(group) from None


def _chief(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves = list(_leaves(group))
    for kind in (KeyboardInterrupt, UsageError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one
