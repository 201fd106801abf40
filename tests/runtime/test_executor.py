"""Rows through graphs: order, conservation, demand, and no deadlock, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from dpipe.lang import types
from dpipe.lang.graph import (
    CheckNode,
    ConcatNode,
    Const,
    Graph,
    Input,
    Node,
    Place,
    SinkNode,
    SourceNode,
    StageNode,
    inputs_of,
)
from dpipe.runtime.errors import UsageError
from dpipe.runtime.executor import Check, Concat, Executor, Feed, Part, unwrapped
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.fit import fitter
from dpipe.runtime.flow import BATCH, DEPTH, Line
from dpipe.runtime.ledger import Tally
from dpipe.runtime.plan import Edge, unbounded, wire
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.limit import Limit
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Batch, Reject, Row, key_of

PLACE = Place("test.dpipe", 1, 1)
ROW = types.Record()
CONTEXT = StageContext("step", Expressions({}, {}, {}), b"salt")
HELD = BATCH * DEPTH


# -- graphs --------------------------------------------------------------------------------------


def source(name: str = "s") -> SourceNode:
    return SourceNode(name, "", {}, ROW, False, PLACE)


def stage(input: int, name: str = "step", **args: Any) -> StageNode:
    return StageNode("f", name, input, args, ROW, PLACE)


def concat(*inputs: int) -> ConcatNode:
    return ConcatNode("f", inputs, ROW, PLACE)


def sink(input: int, name: str = "out") -> SinkNode:
    return SinkNode(name, input, "", None, (), None, (), (), ROW, PLACE)


def program(*nodes: Node) -> Graph:
    sinks = tuple(at for at, node in enumerate(nodes) if isinstance(node, SinkNode))
    return Graph("test.dpipe", (), {}, {}, {}, nodes, sinks)


# -- parts ---------------------------------------------------------------------------------------


class Numbers:
    """A source of rows ``n``, from ``start``; every ``bad``-th record cannot be read."""

    def __init__(self, count: int, start: int = 0, bad: int = 0, size: int = BATCH) -> None:
        self.taken = 0
        self._items: Batch = [
            Reject("s", "error", "bad", f"s:{n}", {"n": n})
            if bad and n % bad == bad - 1
            else Row({"n": n}, key_of(str(n)), f"s:{n}")
            for n in range(start, start + count)
        ]
        self._size = size

    async def __aiter__(self) -> AsyncIterator[Batch]:
        for at in range(0, len(self._items), self._size):
            await trio.lowlevel.checkpoint()
            self.taken += self._size
            yield self._items[at : at + self._size]


class Odd(RowStep):
    """Drops the even numbers, and fails those that a modulus divides."""

    def take(self, row: Row) -> tuple[Row, ...]:
        return (row,) if row.values["n"] % 2 else ()


class Slow:
    """A task that takes a second a batch, after reading the other flows."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.looked_at = 0

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        for other in others.values():
            async for batch in other:
                self.looked_at += len(batch)
        async for batch in rows:
            count = sum(isinstance(item, Row) for item in batch)
            self.tally.entered += count
            await trio.sleep(1)
            self.tally.passed += count
            self.tally.left += count
            await out.put(batch)


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.rows: list[int] = []
        self.rejects: list[int] = []
        self.complete = False

    async def run(self, rows: AsyncIterator[Batch]) -> None:
        async for batch in rows:
            for item in batch:
                if isinstance(item, Reject):
                    self.rejects.append(item.row["n"])
                    continue
                self.rows.append(item.values["n"])
                for name in ("entered", "passed", "left"):
                    setattr(self.tally, name, getattr(self.tally, name) + 1)
        self.complete = True


def run(graph: Graph, parts: Mapping[int, Part]) -> Executor:
    """Run in virtual time; a deadlock ends it at once."""
    made = parts | {
        at: Concat() for at, node in enumerate(graph.nodes) if isinstance(node, ConcatNode)
    }
    executor = Executor(graph, wire(graph, graph.sinks), made)

    async def main() -> None:
        with trio.fail_after(1_000_000):
            await executor.run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return executor


# -- order and tees ------------------------------------------------------------------------------


def test_rows_come_out_as_they_went_in() -> None:
    out = Kept()
    run(program(source(), stage(0), sink(1)), {0: Feed(Numbers(3000)), 1: Odd(CONTEXT), 2: out})
    assert out.rows == list(range(1, 3000, 2))
    assert out.complete


def test_a_flow_that_is_read_twice_is_computed_once() -> None:
    shared, one, two = Odd(CONTEXT), Kept(), Kept()
    graph = program(source(), stage(0), sink(1, "a"), sink(1, "b"))
    run(graph, {0: Feed(Numbers(1000)), 1: shared, 2: one, 3: two})
    assert one.rows == two.rows == list(range(1, 1000, 2))
    assert shared.tally.entered == 1000


def test_a_diamond_with_more_rows_than_buffers_does_not_deadlock() -> None:
    out, count = Kept(), 5 * HELD
    graph = program(source(), stage(0), stage(0), concat(1, 2), sink(3))
    run(graph, {0: Feed(Numbers(count)), 1: Slow(), 2: Slow(), 4: out})
    assert out.rows == [*range(count), *range(count)]


def test_a_flow_compared_with_itself_does_not_deadlock() -> None:
    out, slow = Kept(), Slow()
    graph = program(source(), stage(0, "slow", against=Input(0)), sink(1))
    run(graph, {0: Feed(Numbers(5 * HELD)), 1: slow, 2: out})
    assert slow.looked_at == len(out.rows) == 5 * HELD


def test_two_flows_concatenated_both_ways_do_not_deadlock() -> None:
    one, two, count = Kept(), Kept(), 5 * HELD
    graph = program(source("x"), source("y"), concat(0, 1), concat(1, 0), sink(2), sink(3))
    run(
        graph,
        {0: Feed(Numbers(count)), 1: Feed(Numbers(count, start=count)), 4: one, 5: two},
    )
    assert one.rows == list(range(2 * count))
    assert sorted(two.rows) == one.rows


def test_only_edges_that_would_deadlock_are_let_off_their_bound() -> None:
    diamond = program(source(), stage(0), stage(0), concat(1, 2), sink(3), sink(0))
    assert unbounded(diamond, wire(diamond, (4, 5)), ()) == {Edge(2, 0, 0)}
    fused = unbounded(diamond, wire(diamond, (4, 5)), (1, 2))
    assert fused == {Edge(3, 1, 2)}
    apart = program(source("x"), source("y"), concat(0, 1), sink(2), sink(1))
    assert unbounded(apart, wire(apart, (3, 4)), ()) == frozenset()


def test_a_slow_reader_holds_a_tee_back() -> None:
    class Stuck(Kept):
        async def run(self, rows: AsyncIterator[Batch]) -> None:
            await trio.sleep(1000)
            self.taken_meanwhile = numbers.taken
            await super().run(rows)

    numbers, stuck = Numbers(100 * HELD), Stuck()
    run(program(source(), sink(0), sink(0)), {0: Feed(numbers), 1: stuck, 2: Kept()})
    assert stuck.taken_meanwhile <= HELD + 2 * BATCH


# -- rejects -------------------------------------------------------------------------------------


def test_rejects_go_once_to_the_first_sink_in_the_order_of_the_program() -> None:
    first, second = Kept(), Kept()
    graph = program(source(), stage(0), sink(1, "a"), sink(0, "b"))
    run(graph, {0: Feed(Numbers(20, bad=10)), 1: Odd(CONTEXT), 2: first, 3: second})
    assert (first.rejects, second.rejects) == ([9, 19], [])
    assert second.rows == [n for n in range(20) if n not in (9, 19)]


def test_rejects_of_a_flow_that_is_only_looked_at_go_on_behind_the_rows() -> None:
    out = Kept()
    graph = program(source("old"), source("new"), stage(1, "slow", against=Input(0)), sink(2))
    run(graph, {0: Feed(Numbers(20, bad=10)), 1: Feed(Numbers(3)), 2: Slow(), 3: out})
    assert (out.rows, out.rejects) == ([0, 1, 2], [9, 19])


def test_a_row_that_does_not_fit_its_declared_type_is_a_reject() -> None:
    row = types.Record((types.Field("n", types.Int(0, 4)),))
    out, check = Kept(), Check("f: row", fitter(row))
    graph = program(source(), CheckNode("f", 0, row, PLACE), sink(1))
    run(graph, {0: Feed(Numbers(7)), 1: check, 2: out})
    assert (out.rows, out.rejects) == ([0, 1, 2, 3, 4], [5, 6])
    assert check.tally.reasons == {"failed:error": 2}


# -- identity ------------------------------------------------------------------------------------


def test_the_branch_of_a_concat_is_part_of_a_rows_identity() -> None:
    keys: list[bytes] = []

    class Keys(Kept):
        async def run(self, rows: AsyncIterator[Batch]) -> None:
            async for batch in rows:
                keys.extend(item.key for item in batch if isinstance(item, Row))
                self.tally.entered += len(batch)
                self.tally.passed += len(batch)

    graph = program(source(), concat(0, 0), sink(1))
    run(graph, {0: Feed(Numbers(3)), 2: Keys()})
    assert len(set(keys)) == 6


# -- demand --------------------------------------------------------------------------------------


def test_a_full_limit_stops_its_source() -> None:
    numbers, out = Numbers(10_000, size=10), Kept()
    limit = Limit(CONTEXT, 25)
    graph = program(source(), stage(0, "slow"), stage(1, "limit", n=Const(25)), sink(2))
    executor = run(graph, {0: Feed(numbers), 1: Slow(), 2: limit, 3: out})
    assert out.rows == list(range(25))
    assert numbers.taken <= 10 * (3 + DEPTH + 2)
    assert out.complete
    assert conserved(graph, executor)


def test_a_tee_goes_on_for_the_branch_that_still_wants_rows() -> None:
    few, all_ = Kept(), Kept()
    graph = program(source(), stage(0, "limit", n=Const(5)), sink(1, "a"), sink(0, "b"))
    executor = run(graph, {0: Feed(Numbers(3000)), 1: Limit(CONTEXT, 5), 2: few, 3: all_})
    assert few.rows == list(range(5))
    assert all_.rows == list(range(3000))
    assert conserved(graph, executor)


def test_sample_takes_the_first_rows_of_a_source() -> None:
    numbers, out = Numbers(100_000, bad=3), Kept()
    run(program(source(), sink(0)), {0: Feed(numbers, 4), 1: out})
    assert (out.rows, out.rejects) == ([0, 1, 3, 4], [2])
    assert numbers.taken == BATCH


# -- trouble -------------------------------------------------------------------------------------


def test_an_error_stops_the_run_and_completes_no_sink() -> None:
    class Broken(Slow):
        async def run(self, *args: Any) -> None:
            await trio.sleep(1)
            raise UsageError("the endpoint is gone")

    one, two = Kept(), Kept()
    graph = program(source(), stage(0), sink(1), sink(0))
    with pytest.raises(UsageError, match="the endpoint is gone"), unwrapped():
        run(graph, {0: Feed(Numbers(10)), 1: Broken(), 2: one, 3: two})
    assert not one.complete


def test_a_bug_is_raised_as_it_is() -> None:
    class Bug(Odd):
        def take(self, row: Row) -> tuple[Row, ...]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), unwrapped():
        run(program(source(), stage(0), sink(1)), {0: Feed(Numbers(1)), 1: Bug(CONTEXT), 2: Kept()})


def test_rows_that_a_stage_loses_are_a_bug() -> None:
    class Uncounted(Slow):
        async def run(self, rows: AsyncIterator[Batch], *args: Any) -> None:
            async for batch in rows:
                self.tally.entered += len(batch)

    with pytest.raises(AssertionError, match="not accounted for"):
        run(program(source(), stage(0), sink(1)), {0: Feed(Numbers(1)), 1: Uncounted(), 2: Kept()})


# -- lines ---------------------------------------------------------------------------------------


def test_a_reader_never_takes_a_part_for_the_whole() -> None:
    """The writer of a line dies while its reader waits."""
    ended = False

    async def main() -> None:
        line = Line(Tally())

        async def read() -> None:
            nonlocal ended
            async for _ in line:
                pass
            ended = True

        async def write() -> None:
            await line.put([Row({}, b"", "")])
            raise RuntimeError

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(write)

    with pytest.raises(BaseExceptionGroup):
        trio.run(main)
    assert not ended


# -- random graphs -------------------------------------------------------------------------------


def conserved(graph: Graph, executor: Executor) -> bool:
    """Whether each node's rows are all accounted for, and all of them came from somewhere."""
    counts = dict(zip(executor.order, executor.counts(), strict=True))
    for index, count in counts.items():
        node = graph.nodes[index]
        assert count.entered == count.passed + sum(count.reasons.values())
        streams = inputs_of(node)[:1] if isinstance(node, StageNode) else inputs_of(node)
        if streams:
            assert count.entered == sum(counts[writer].left for writer in streams)
    return True


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Sources, then stages and concats over anything before them, then sinks."""
    nodes: list[Node] = [source(f"s{at}") for at in range(draw(st.integers(1, 2)))]
    for _ in range(draw(st.integers(0, 6))):
        earlier = st.integers(0, len(nodes) - 1)
        kind = draw(st.sampled_from(["odd", "slow", "limit", "concat", "against"]))
        if kind == "concat":
            nodes.append(concat(*draw(st.lists(earlier, min_size=2, max_size=3))))
        elif kind == "against":
            nodes.append(stage(draw(earlier), "slow", against=Input(draw(earlier))))
        elif kind == "limit":
            nodes.append(stage(draw(earlier), "limit", n=Const(draw(st.integers(0, 40)))))
        else:
            nodes.append(stage(draw(earlier), kind))
    for _ in range(draw(st.integers(1, 3))):
        nodes.append(
            sink(
                draw(
                    st.integers(0, len(nodes) - 1).filter(
                        lambda at: not isinstance(nodes[at], SinkNode)
                    )
                )
            )
        )
    return program(*nodes)


def part_of(at: int, node: Node, count: int) -> Part:
    match node:
        case SourceNode():
            return Feed(Numbers(count, start=at * count, size=1))
        case StageNode(stage="odd"):
            return Odd(CONTEXT)
        case StageNode(stage="limit", args={"n": Const(int() as n)}):
            return Limit(CONTEXT, n)
        case StageNode():
            return Slow()
        case ConcatNode():
            return Concat()
        case _:
            return Kept()


def expected(graph: Graph, index: int, count: int) -> list[int]:
    """The rows of a node, worked out without any executor."""
    node = graph.nodes[index]
    before = [expected(graph, writer, count) for writer in inputs_of(node)]
    match node:
        case SourceNode():
            return list(range(index * count, (index + 1) * count))
        case ConcatNode():
            return [n for rows in before for n in rows]
        case StageNode(stage="odd"):
            return [n for n in before[0] if n % 2]
        case StageNode(stage="limit", args={"n": Const(int() as n)}):
            return before[0][:n]
        case _:
            return before[0]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_random_graphs_give_their_rows_in_order_and_lose_none(graph: Graph) -> None:
    count = 30
    parts = {at: part_of(at, node, count) for at, node in enumerate(graph.nodes)}
    executor = run(graph, parts)
    for index in graph.sinks:
        kept = parts[index]
        assert isinstance(kept, Kept)
        assert kept.rows == expected(graph, index, count)
    assert conserved(graph, executor)
