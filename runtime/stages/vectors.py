"""The common shape of stages that look at the vectors of texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeAlias

import trio

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.base import Outlet, Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.learning import unread
from dpipe.runtime.stages.step import reject
from dpipe.runtime.values import Batch, Item, Reject, Row

GROUP = 64
"""Texts of one call."""

AHEAD = 16
"""Groups that are embedded at a time."""

Vector: TypeAlias = Sequence[float]


class Group:
    """Items in order; ``rows`` those to look at, their ``vectors`` there once ``ready``."""

    def __init__(self) -> None:
        self.items: Batch = []
        self.rows: list[Row] = []
        self.texts: list[str] = []
        self.vectors: Sequence[Vector | Failed] = []
        self.ready = trio.Event()


class VectorTask(ABC):
    """Groups of texts are embedded side by side and gone through in order.

    ``reason`` is why a row that does not go on has ended; None where it is held.
    """

    reason: str | None = None

    def __init__(self, context: StageContext, text: OverRow, model: graph.One) -> None:
        assert context.vectors is not None
        self.tally = Tally()
        self.label = context.label
        self._text = text
        self._vectors = context.vectors
        self._model = model
        self._unwanted = False

    @abstractmethod
    def take(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> Sequence[Row | None]:
        """What becomes of each row; None where it does not go on now."""

    def release(self) -> Batch:
        """Rows that were held, when all are there; it counts them."""
        return []

    async def prepare(self, out: Outlet, others: Mapping[str, AsyncIterator[Batch]]) -> None:
        """Read the other flows; here there are none."""
        assert not others

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        await self.prepare(out, others)
        send, receive = trio.open_memory_channel[Group](AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, receive, out, nursery.cancel_scope)
            with send:
                async for batch in rows:
                    for start in range(0, len(batch), GROUP):
                        group = self._group(batch[start : start + GROUP])
                        nursery.start_soon(self._fill, group)
                        await send.send(group)
        if self._unwanted:
            raise Unwanted
        if held := self.release():
            await out.put(held)

    async def known(
        self, other: AsyncIterator[Batch], text: OverRow, out: Outlet
    ) -> list[tuple[Row, Vector]]:
        """The rows of another flow and the vectors of their texts; without one they are rejects."""
        rows: list[Row] = []
        texts: list[str] = []
        async for batch in other:
            for item in batch:
                assert isinstance(item, Row)
                try:
                    texts.append(text(item))
                    rows.append(item)
                except NoValue as reason:
                    await out.put([unread(self.tally, self.label, item, reason)])
        found: list[tuple[Row, Vector]] = []
        for row, vector in zip(rows, await self._vectors(self._model, texts), strict=True):
            if isinstance(vector, Failed):
                self.tally.entered += 1
                await out.put([self._failed(row, vector)])
            else:
                found.append((row, vector))
        return found

    # -- rows in ---------------------------------------------------------------------------------

    def _group(self, items: Batch) -> Group:
        group = Group()
        for item in items:
            if isinstance(item, Row):
                self.tally.entered += 1
                try:
                    group.texts.append(self._text(item))
                    group.rows.append(item)
                except NoValue as reason:
                    self.tally.lose("failed:error")
                    item = reject(self.label, item, reason)
            group.items.append(item)
        return group

    async def _fill(self, group: Group) -> None:
        if group.texts:
            group.vectors = await self._vectors(self._model, group.texts)
        group.ready.set()

    # -- rows out --------------------------------------------------------------------------------

    async def _deliver(
        self, groups: trio.MemoryReceiveChannel[Group], out: Outlet, rows: trio.CancelScope
    ) -> None:
        with groups:
            async for group in groups:
                await group.ready.wait()
                try:
                    if batch := self._done(group):
                        await out.put(batch)
                except Unwanted:
                    self._unwanted = True
                    rows.cancel()
                    return

    def _done(self, group: Group) -> Batch:
        ends = dict(zip(map(id, group.rows), self._ends(group), strict=True))
        items = (ends.get(id(item), item) for item in group.items)
        return [item for item in items if item is not None]

    def _ends(self, group: Group) -> list[Item | None]:
        """What becomes of each row: a row, a reject, or None where it does not go on."""
        found = list(zip(group.rows, group.vectors, strict=True))
        rows = [row for row, vector in found if not isinstance(vector, Failed)]
        taken = iter(self.take(rows, [v for v in group.vectors if not isinstance(v, Failed)]))
        return [
            self._failed(row, vector) if isinstance(vector, Failed) else self._counted(next(taken))
            for row, vector in found
        ]

    def _counted(self, row: Row | None) -> Row | None:
        if row is not None:
            self.tally.passed += 1
            self.tally.left += 1
        elif self.reason is not None:
            self.tally.lose(self.reason)
        return row

    def _failed(self, row: Row, failure: Failed) -> Reject:
        self.tally.lose(f"failed:{failure.outcome}")
        return Reject(self.label, failure.outcome, failure.message, row.place, row.values)
