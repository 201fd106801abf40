"""The ends of a loop's rounds: rows come in, leave, and are rows again behind the last round."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import reject
from dpipe.runtime.values import Batch, Leaver, Row, key_of


def in_round(row: Row, number: int) -> Row:
    """The row with so many rounds behind it, which become part of its identity."""
    return Row({**row.values, "round": number}, key_of(row.key, "round", str(number)), row.place)


class Round:
    """Lets rows into a round, and those for which ``until`` holds out of the loop.

    With ``keep_all`` a copy of each row that goes in leaves too, right before it. It is a task, so
    that what runs at a go is no longer than one round.
    """

    def __init__(
        self, label: str, rounds: tuple[int, ...], until: OverRow | None, keep_all: bool
    ) -> None:
        self.tally = Tally()
        self._label = label
        self._loop = len(rounds)
        self._number = rounds[-1]
        self._until = until
        self._keep_all = keep_all

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async for batch in rows:
            await out.put(self._through(batch))

    def _through(self, batch: Batch) -> Batch:
        out: Batch = []
        for item in batch:
            if isinstance(item, Row):
                self._take(item, out)
            else:
                out.append(item)
        return out

    def _take(self, row: Row, out: Batch) -> None:
        self.tally.entered += 1
        row = in_round(row, self._number)
        try:
            done = self._until is not None and self._until(row)
        except NoValue as reason:
            out.append(reject(self._label, row, reason))
            self.tally.lose("failed:error")
            return
        if done or self._keep_all:
            out.append(Leaver(row, self._loop))
        if done:
            self.tally.lose("done")
            return
        self.tally.passed += 1
        self.tally.left += 1
        out.append(row)


class Leave:
    """Makes rows of those that left before, in their places among those that went all the way."""

    full = False

    def __init__(self, loop: int, times: int) -> None:
        self.tally = Tally()
        self._loop = loop
        self._times = times

    def feed(self, batch: Batch) -> Batch:
        out: Batch = []
        for item in batch:
            if isinstance(item, Row):
                out.append(self._counted(in_round(item, self._times)))
            elif isinstance(item, Leaver) and item.loop == self._loop:
                out.append(self._counted(item.row))
            else:
                out.append(item)
        return out

    def finish(self) -> Batch:
        return []

    def _counted(self, row: Row) -> Row:
        self.tally.entered += 1
        self.tally.passed += 1
        self.tally.left += 1
        return row


def as_stage(node: graph.RoundNode) -> graph.StageNode:
    """The round as a stage with arguments: what its chance hangs on."""
    args: dict[str, graph.Arg] = {"keep": graph.Const(node.keep)}
    if node.until is not None:
        args["until"] = node.until
    return graph.StageNode(node.flow, "loop", node.input, args, node.row, node.place, node.rounds)


def build_round(node: graph.StageNode, context: StageContext) -> Round:
    until = node.args.get("until")
    return Round(
        context.label,
        node.rounds,
        None if until is None else context.over(until, "until"),
        context.constant(node, "keep", "last") == "all",
    )


def build_leave(node: graph.LeaveNode) -> Leave:
    return Leave(len(node.rounds) + 1, node.times)
