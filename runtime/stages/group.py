"""``group``: one row for each key, with figures about its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.equality import frozen
from dpipe.runtime.errors import NoValue
from dpipe.runtime.figures import Figures
from dpipe.runtime.functions.convert import hash_
from dpipe.runtime.ledger import Tally
from dpipe.runtime.metrics.base import Metric
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import reject
from dpipe.runtime.values import Batch, Reject, Row, Values, key_of


class Part(Struct, frozen=True):
    """The rows of one key so far; ``place`` is that of the first."""

    values: Values
    place: str
    metrics: Sequence[Metric]


class Group:
    """Keys in the order in which they appear; null is a key like others.

    What is no row passes on at once, before every group.
    """

    def __init__(self, label: str, by: Sequence[str], figures: Figures) -> None:
        self.tally = Tally()
        self._label = label
        self._by = by
        self._figures = figures
        self._parts: dict[Hashable, Part] = {}

    def foresee(self, row: Row) -> None:
        """Work out what a row gives the figures; raises ``NoValue``."""
        self._figures.of_row(row)

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async for batch in rows:
            if passing := await self._taken(batch):
                await out.put(passing)
        groups: Batch = [self._group(part) for part in self._parts.values()]
        self.tally.left = sum(isinstance(group, Row) for group in groups)
        if groups:
            await out.put(groups)

    async def _taken(self, batch: Batch) -> Batch:
        """Put the rows into their groups; what goes on at once."""
        rows = [item for item in batch if isinstance(item, Row)]
        self.tally.entered += len(rows)
        values = iter(await self._figures.values(rows))
        ends = (self._end(item, next(values)) if isinstance(item, Row) else item for item in batch)
        return [item for item in ends if item is not None]

    def _end(self, row: Row, values: list[Any] | str) -> Reject | None:
        """The reject that a row is where a figure has no value on it."""
        if isinstance(values, str):
            self.tally.lose("failed:error")
            return reject(self._label, row, NoValue(values))
        for metric, value in zip(self._part(row).metrics, values, strict=True):
            metric.add(value)
        self.tally.passed += 1
        return None

    def _part(self, row: Row) -> Part:
        values = {name: row.values.get(name) for name in self._by}
        key = frozen(list(values.values()))
        if key not in self._parts:
            self._parts[key] = Part(values, row.place, self._figures.start())
        return self._parts[key]

    def _group(self, part: Part) -> Row | Reject:
        """The row of a key; where a figure has no value it is lost, counted as one of its rows."""
        key = key_of("group", hash_(part.values))
        try:
            return Row({**part.values, **self._figures.result(part.metrics)}, key, part.place)
        except NoValue as reason:
            self.tally.passed -= 1
            self.tally.lose("failed:error")
            return reject(self._label, Row(part.values, key, part.place), reason)


def build(node: graph.StageNode, context: StageContext) -> Group:
    by, figures = node.args["by"], node.args.get("figures")
    assert isinstance(by, graph.Fields)
    assert context.vectors is not None
    entries = figures.entries if isinstance(figures, graph.Figures) else ()
    computed = Figures(entries, context.expressions, context.vectors)
    return Group(context.label, [name for name, _ in by.entries], computed)
