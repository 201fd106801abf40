"""How many calls of a model may run at once, learnt from how they go."""

from __future__ import annotations

from math import inf

import trio

START = 8
_MOST = 1024
_SLOW = 2.0
_MEMORY = 1 / 50
_TOLERATED = 0.1


class Slots:
    """Places for calls, given out in order of asking; ``limit`` of them, as things stand.

    Without a declared number it begins at eight and doubles each round of good calls until
    latency rises. Once the endpoint has turned down one call in ten of the last fifty or so, it
    halves, once for all calls that were under way together, down to an eighth of what was
    declared: below that each call's own waits do more. From there it grows, fast while it is far
    below where the trouble began and by one a round then; only while all places are taken.
    """

    def __init__(self, declared: int | None) -> None:
        self.most = declared or _MOST
        self._least = max(1.0, (declared or START) / 8)
        self._refused = 0.0
        self._ceiling = 0.0
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
        self._refused *= 1.0 - _MEMORY
        self._latency = self._latency * 0.9 + seconds * 0.1 if self._latency else seconds
        # the best is forgotten slowly, for an endpoint may change for good
        self._best = min(self._best * 1.001, self._latency)
        if self.limit >= self.most or self.in_use < int(self.limit):
            return
        if self._latency > _SLOW * self._best + 0.01:
            self._doubling = False
            return
        a_round = self.limit if self._doubling else max(1.0, (self._ceiling - self.limit) / 4)
        self.limit = min(self.limit + a_round / self.limit, float(self.most))

    def overloaded(self, started: float) -> None:
        """A call that began at ``started`` was told that the endpoint is too busy."""
        self._refused += (1.0 - self._refused) * _MEMORY
        if started <= self._halved_at or self._refused < _TOLERATED:
            return
        self._halved_at = trio.current_time()
        self._refused = 0.0
        self._doubling = False
        self._ceiling = self.limit
        self.limit = max(self._least, self.limit / 2)
