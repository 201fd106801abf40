"""How batches travel: bounded lines between tasks, steps fused into their writer, tees.

Demand flows backwards: when a reader leaves, the next ``put`` raises ``Unwanted``, and every row
that was handed over in vain is counted as surplus by the stage that it was handed to. So rows
are conserved across every edge, whoever stops first. Where what leaves a loop is still wanted,
nobody leaves: there an end that is ``full`` lets the rows before it be surplus, and no others.

A line ends only where its writer says so (``close``). Of a writer that dies the reader hears
nothing and waits to be cancelled, so it never takes a part for the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, Self

import trio

from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.base import Step, Unwanted
from dpipe.runtime.values import Batch, Given, Row

BATCH = 256
"""The most items that are handed over at once."""

DEPTH = 4
"""How many batches a line holds before its writer waits."""


class End(Protocol):
    """Where a node's batches go."""

    async def put(self, batch: Batch) -> None:
        """Hand on; where it raises ``Unwanted`` the whole batch is accounted for."""

    async def close(self) -> None:
        """Tell that nothing more comes."""

    def refuse(self, batch: Batch) -> None:
        """Account for rows that nobody wants any more."""

    @property
    def full(self) -> bool:
        """Whether no further row can come to anything."""


def rows_in(batch: Given) -> int:
    return sum(item.__class__ is Row for item in batch)


def surplus(tally: Tally, batch: Batch) -> None:
    """Count rows that reached a node which needs no more."""
    count = rows_in(batch)
    tally.entered += count
    tally.lose("surplus", count)


class Line:
    """A bounded channel of batches from one writer to one reader.

    ``tally`` is the reader's; None where the rows are only looked at, as of ``against:``.
    ``onward`` gives the end that the reader hands all its rows to.
    """

    def __init__(
        self,
        tally: Tally | None,
        depth: float = DEPTH,
        onward: Callable[[], End | None] | None = None,
    ) -> None:
        self._send, self._receive = trio.open_memory_channel[Batch](depth)
        self._tally = tally
        self._onward = onward

    @property
    def full(self) -> bool:
        if self._tally is None or self._onward is None:
            return False
        end = self._onward()
        return end is not None and end.full

    async def put(self, batch: Batch) -> None:
        for start in range(0, len(batch), BATCH):
            try:
                await self._send.send(batch[start : start + BATCH])
            except trio.BrokenResourceError:
                self.refuse(batch[start:])
                raise Unwanted from None

    async def close(self) -> None:
        self._send.close()

    def refuse(self, batch: Batch) -> None:
        if self._tally is not None:
            surplus(self._tally, batch)

    def leave(self) -> None:
        """Read no more: what lies here is surplus, and the writer is told."""
        with self._receive, suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                self.refuse(self._receive.receive_nowait())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        try:
            batch = await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        if not self.full:
            return batch
        self.refuse(batch)
        return [item for item in batch if not isinstance(item, Row)]


class Fused:
    """A step that runs in its writer's ``put``: no channel, no task switch.

    Where it ``carries`` what leaves a loop, that is wanted even when the step is full.
    """

    def __init__(self, step: Step, then: End, *, carries: bool = False) -> None:
        self._step = step
        self._then = then
        self._carries = carries

    async def put(self, batch: Batch) -> None:
        fed = self._step.feed(batch)
        if fed:
            await self._then.put(fed)
        if self._step.full and not self._carries:
            raise Unwanted

    async def close(self) -> None:
        await put_all(self._step.finish(), self._then)
        await self._then.close()

    def refuse(self, batch: Batch) -> None:
        surplus(self._step.tally, batch)

    @property
    def full(self) -> bool:
        return self._step.full or self._then.full


class Tee:
    """Several readers of one flow, served at the pace of the slowest.

    ``rejects_to`` is the place in ``ends`` of the branch that takes what is no row: it leads to
    the rejects' sink.
    """

    def __init__(self, ends: Sequence[End], rejects_to: int) -> None:
        self._ends = ends
        self._rejects_to = rejects_to
        self._wanting = set(range(len(ends)))

    async def put(self, batch: Batch) -> None:
        rows: Batch = [item for item in batch if item.__class__ is Row]
        for at, end in enumerate(self._ends):
            part = batch if at == self._rejects_to else rows
            if at not in self._wanting:
                end.refuse(part)
            elif part:
                try:
                    await end.put(part)
                except Unwanted:
                    self._wanting.remove(at)
        if not self._wanting:
            raise Unwanted

    async def close(self) -> None:
        for end in self._ends:
            await end.close()

    def refuse(self, batch: Batch) -> None:
        for end in self._ends:
            end.refuse(batch)

    @property
    def full(self) -> bool:
        return all(end.full for end in self._ends)


async def put_all(batch: Batch, end: End) -> None:
    """Hand on a batch of any length in pieces, as far as it is wanted."""
    for start in range(0, len(batch), BATCH):
        try:
            await end.put(batch[start : start + BATCH])
        except Unwanted:
            end.refuse(batch[start + BATCH :])
            return
