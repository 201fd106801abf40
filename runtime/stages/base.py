"""What a stage is to the executor: a ``Step`` or a ``Task``.

A step is plain code over batches: the executor runs the steps between two tasks as one function.
A task waits (for models, for other flows) and runs on its own. Both keep the order of the rows,
pass everything else on in its place, and count each row that enters in their ``tally``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, runtime_checkable

from dpipe.runtime.ledger import Tally
from dpipe.runtime.values import Batch


@runtime_checkable
class Step(Protocol):
    """``feed`` gives what may go on; ``finish``, once at the end, what was held back.

    ``full`` turns true when no further row can leave: what comes before may stop.
    """

    tally: Tally

    def feed(self, batch: Batch) -> Batch: ...

    def finish(self) -> Batch: ...

    @property
    def full(self) -> bool: ...


class Outlet(Protocol):
    async def put(self, batch: Batch) -> None:
        """Hand rows on; raises ``Unwanted`` when nobody wants more."""


class Unwanted(Exception):
    """Whoever reads this stage's rows needs no more of them: stop, quietly."""


class Task(Protocol):
    """``run`` ends when its rows do. ``others`` are the flows named in its arguments."""

    tally: Tally

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None: ...
