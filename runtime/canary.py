"""The first rows go alone: what fails them nearly all stops the run before the money is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from dpipe.runtime.events import NodeCount
from dpipe.runtime.flow import End
from dpipe.runtime.values import Batch, Reject

_LOOK = 0.02
_FEWEST = 5
"""Rows of a stage that tell something."""
_NEARLY_ALL = 0.9
_MOST = 200
"""Rejects on their way that are kept in sight, more or less."""


class CanaryDied(Exception):
    """A stage failed nearly all of the first rows; ``reason`` says which, ``stage`` its label."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


class Canary:
    """What holds the sources back behind their first ``rows`` until those have come to rest.

    Of the rows that fail meanwhile those are ``away`` that have not come to a sink.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._away: dict[int, Reject] = {}  # by identity: they are the same objects all the way
        self._held = trio.Event()
        self._over = trio.Event()

    async def wait(self) -> None:
        """Called by a source that has given its first rows."""
        self._held.set()
        await self._over.wait()

    @property
    def away(self) -> list[Reject]:
        return [*self._away.values()]

    def see(self, batch: Batch) -> None:
        """Called with all that leaves a node."""
        if not self._over.is_set() and len(self._away) < _MOST:
            self._away |= {id(item): item for item in batch if isinstance(item, Reject)}

    def home(self, reject: Reject) -> None:
        """Called by a sink that has a reject."""
        self._away.pop(id(reject), None)

    async def watch(
        self, counts: Callable[[], Iterable[NodeCount]], is_idle: Callable[[], bool]
    ) -> None:
        """Let the other rows go when nothing moves any more; raises ``CanaryDied``.

        Rows have come to rest where they are through, or where a stage needs all before one
        leaves it.
        """
        await self._held.wait()
        before: list[NodeCount] = []
        while (now := list(counts())) != before or not is_idle():
            before = now
            await trio.sleep(_LOOK)
        for count in now:
            self._judge(count)
        self._over.set()
        self._away.clear()

    def _judge(self, count: NodeCount) -> None:
        settled = count.passed + sum(count.reasons.values())
        if settled >= min(self.rows, _FEWEST) and count.failed >= _NEARLY_ALL * settled:
            told = f"{count.failed} of the first {settled} rows"
            raise CanaryDied(count.label, f"`{count.label}` failed {told}")


class Seen:
    """An end that shows a canary what goes to it."""

    def __init__(self, end: End, canary: Canary) -> None:
        self._end = end
        self._canary = canary

    async def put(self, batch: Batch) -> None:
        self._canary.see(batch)
        await self._end.put(batch)

    async def close(self) -> None:
        await self._end.close()

    def refuse(self, batch: Batch) -> None:
        self._end.refuse(batch)

    @property
    def full(self) -> bool:
        return self._end.full
