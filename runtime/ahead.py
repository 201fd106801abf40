"""The Python that a part will call, asked ahead: rows come to it with the answers.

Rows are prepared side by side and handed on in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import trio

from dpipe.runtime.calling import AT_ONCE, Answered, Functions, Waits
from dpipe.runtime.change import Change
from dpipe.runtime.errors import NoValue
from dpipe.runtime.flow import surplus
from dpipe.runtime.stages.base import Outlet, Step, Unwanted
from dpipe.runtime.values import Batch, Item, Row

Foresee = Callable[[Row], Any]
"""Works out of a row what a part will; raises ``Waits`` where a call has to be answered first."""


LINE = 32
"""How many rows are under way, or wait for one before them; above a limit they are fewer."""


def in_turn(parts: Sequence[Foresee]) -> Foresee:
    """Works out one part after the other."""

    def foresee(row: Row) -> None:
        for part in parts:
            part(row)

    return foresee


class Ahead:
    """A task or sink, and before it the calls that it will make; ``limited`` above a limit."""

    def __init__(
        self, inner: Any, foresee: Foresee, functions: Functions, *, limited: bool = False
    ) -> None:
        self.inner = inner
        self.tally = inner.tally
        self.pending = 0
        self._foresee = foresee
        self._functions = functions
        self._line = AT_ONCE if limited else LINE
        self._slots: deque[_Slot] = deque()
        self._begun = 0
        self._complete = False
        self._change = Change()

    async def run(self, rows: AsyncIterator[Batch], *rest: Any) -> None:
        wanted = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fill, rows, nursery)
            try:
                async with aclosing(self._ready()) as ready:
                    await self.inner.run(ready, *rest)
            except Unwanted:
                wanted = False
            nursery.cancel_scope.cancel()
        surplus(self.tally, [slot.item for slot in self._slots])
        if not wanted:
            raise Unwanted

    # -- rows in ---------------------------------------------------------------------------------

    async def _fill(self, rows: AsyncIterator[Batch], nursery: trio.Nursery) -> None:
        async for batch in rows:
            slots = [_Slot(item) for item in batch]
            self._slots += slots
            for slot in slots:
                while self._begun >= self._line:
                    await self._change.wait()
                self._begin(slot, nursery)
        self._complete = True
        self._change.tell()

    def _begin(self, slot: _Slot, nursery: trio.Nursery) -> None:
        self._begun += 1
        if isinstance(slot.item, Row):
            row = slot.item.with_values(Answered(slot.item.values))
            if (call := self._next_call(row)) is not None:
                self.pending += 1
                nursery.start_soon(self._prepare, slot, row, call)
                return
        slot.done = True
        self._change.tell()

    async def _prepare(self, slot: _Slot, row: Row, call: Waits | None) -> None:
        while call is not None:
            answer = await self._functions.answer(call.function, call.given)
            row.values.answers[call.key] = answer  # type: ignore[attr-defined]
            call = self._next_call(row)
        self.pending -= 1
        slot.item, slot.done = row, True
        self._change.tell()

    def _next_call(self, row: Row) -> Waits | None:
        """The call that stands in the way; None where all are answered or the row will fail."""
        try:
            self._foresee(row)
        except Waits as call:
            return call
        except NoValue:
            return None
        return None

    # -- rows out --------------------------------------------------------------------------------

    async def _ready(self) -> AsyncGenerator[Batch]:
        while self._slots or not self._complete:
            if not (self._slots and self._slots[0].done):
                await self._change.wait()
                continue
            batch: Batch = []
            while self._slots and self._slots[0].done:
                batch.append(self._slots.popleft().item)
            self._begun -= len(batch)
            yield batch
            self._change.tell()


class _Slot:
    """An item's place in the line; ``done`` once it may be handed on."""

    __slots__ = ("done", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False


class Stepping:
    """A step as a task. With ``carries`` what leaves a loop is wanted even when it is full."""

    def __init__(self, step: Step, *, carries: bool) -> None:
        self.tally = step.tally
        self.step = step
        self._carries = carries

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async for batch in rows:
            if fed := self.step.feed(batch):
                await out.put([_without_answers(item) for item in fed])
            if self.step.full and not self._carries:
                raise Unwanted
        if held := self.step.finish():
            await out.put([_without_answers(item) for item in held])


def _without_answers(item: Item) -> Item:
    """The item without answers that nobody needs any more."""
    if isinstance(item, Row) and isinstance(item.values, Answered):
        return item.with_values(dict(item.values))
    return item
