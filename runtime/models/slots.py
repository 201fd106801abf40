"""How many calls of a model may run at once, learnt from how they go."""

from __future__ import annotations

from math import inf

import trio

START = 8
_MOST = 1024
_SLOW = 2.0


class Slots:
    """Places for calls, given out in order of asking; ``limit`` of them, as things stand.

    The limit doubles each round of good calls until trouble or waiting shows, then grows by one a
    round; ``overloaded`` halves it, once for all calls that were under way together. It grows
    only while all places are taken, and never beyond ``most``.
    """

    def __init__(self, declared: int | None) -> None:
        self.most = declared or _MOST
        self.limit = float(declared or START)
        self.in_use = 0
        self._line = trio.lowlevel.ParkingLot()
        self._doubling = True
        self._halved_at = -inf
        self._latency = 0.0
        self._best = inf

    @property
    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._line)

    async def take(self) -> None:
        """Wait for a place; whoever gives one back hands it on, so nobody overtakes."""
        if self.in_use < int(self.limit) and not self._line:
            self.in_use += 1
        else:
            await self._line.park()

    def give_back(self) -> None:
        self.in_use -= 1
        while self._line and self.in_use < int(self.limit):
            self.in_use += 1
            self._line.unpark()

    def went_well(self, seconds: float) -> None:
        """A call ended after so long: room for more if it was full and latency holds."""
        self._latency = self._latency * 0.9 + seconds * 0.1 if self._latency else seconds
        # the best is forgotten slowly, for an endpoint may change for good
        self._best = min(self._best * 1.001, self._latency)
        if self.limit >= self.most or self.in_use < int(self.limit):
            return
        if self._latency > _SLOW * self._best + 0.01:
            self._doubling = False
            return
        step = 1.0 if self._doubling else 1.0 / self.limit
        self.limit = min(self.limit + step, float(self.most))

    def overloaded(self, started: float) -> None:
        """A call that began at ``started`` was told that the endpoint is too busy."""
        if started <= self._halved_at:
            return
        self._halved_at = trio.current_time()
        self._doubling = False
        self.limit = max(1.0, self.limit / 2)
