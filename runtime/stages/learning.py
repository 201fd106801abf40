"""Stages that read another flow before their own rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping

from dpipe.runtime.errors import NoValue
from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.step import RowStep, reject
from dpipe.runtime.values import Batch, Reject, Row


class LearningStep(RowStep):
    """A row at a time, once the rows of another flow are known."""

    @abstractmethod
    def learn(self, row: Row) -> None:
        """A row of the other flow; raises ``NoValue`` where it is a reject."""


class Learning:
    """The task of such a step. ``other`` is the argument that names the flow."""

    def __init__(self, step: LearningStep, other: str) -> None:
        self.tally = step.tally
        self.step = step
        self._other = other

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async for batch in others[self._other]:
            for failed in self._learn(batch):
                await out.put([failed])
        async for batch in rows:
            if fed := self.step.feed(batch):
                await out.put(fed)

    def _learn(self, batch: Batch) -> list[Reject]:
        failed = []
        for item in batch:
            assert isinstance(item, Row)
            try:
                self.step.learn(item)
            except NoValue as reason:
                failed.append(unread(self.tally, self.step.label, item, reason))
        return failed


def unread(tally: Tally, label: str, row: Row, reason: NoValue) -> Reject:
    """A row of another flow that the stage can make nothing of: it alone is counted as entered."""
    tally.entered += 1
    tally.lose("failed:error")
    return reject(label, row, reason)
