"""``extern pipe``: Python that is given the rows and yields rows.

The Python is an async generator of dicts over an async iterator of dicts. What it yields is held
against the declared row. Rows that it makes are told apart by their ordinal; rejects go out first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from dpipe.lang import graph
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import Fitter, row_fitter
from dpipe.runtime.ledger import Tally
from dpipe.runtime.python import load
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Item, Reject, Row, Values, key_of

Pipe = Callable[..., AsyncIterator[Values]]


class PythonPipe:
    def __init__(
        self, context: StageContext, pipe: Pipe, options: Mapping[str, Any], fits: Fitter
    ) -> None:
        self.tally = Tally()
        self._label = context.label
        self._salt = context.salt
        self._pipe = pipe
        self._options = options
        self._fits = fits
        self._passing: list[Item] = []

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async with aclosing(self._values(rows)) as values:
            given = self._pipe(values, **self._options)
            if not hasattr(given, "__anext__"):
                message = f"{self._label}: its Python gives {type(given).__name__}, not rows"
                raise UsageError(message, hint="write it as `async def` with `yield`")
            async with aclosing(given):  # type: ignore[type-var]
                await self._hand_on(given, out)
        await self._hand_on_passing(out)

    async def _hand_on(self, given: AsyncIterator[Values], out: Outlet) -> None:
        count = 0
        async for values in given:
            await self._hand_on_passing(out)
            await out.put([self._row(values, count)])
            count += 1

    async def _values(self, rows: AsyncIterator[Batch]) -> AsyncGenerator[Values]:
        async for batch in rows:
            for item in batch:
                if not isinstance(item, Row):
                    self._passing.append(item)
                    continue
                self.tally.entered += 1
                self.tally.passed += 1
                yield dict(item.values)

    async def _hand_on_passing(self, out: Outlet) -> None:
        if self._passing:
            passing, self._passing = self._passing, []
            await out.put(passing)

    def _row(self, values: Values, ordinal: int) -> Row | Reject:
        place = f"{self._label} [{ordinal}]"
        try:
            fitted = self._fits(values)
        except Misfit as wrong:
            row = values if isinstance(values, dict) else {"value": repr(values)}
            self.tally.entered += 1  # a row of its own, that ends here
            self.tally.lose("failed:error")
            return Reject(self._label, "error", str(wrong), place, row)
        self.tally.left += 1
        return Row(fitted, key_of(self._salt, str(ordinal)), place)


def build(node: graph.StageNode, context: StageContext) -> PythonPipe:
    target = context.constant(node, "target", "")
    options = node.args["options"]
    assert isinstance(options, graph.Fields)
    given = {name: context.expressions.constant(value) for name, value in options.entries}
    return PythonPipe(context, load(target), given, row_fitter(node.row))
