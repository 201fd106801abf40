"""What has failed some times in a row is left alone for a while, then tried with one call."""

from __future__ import annotations

from math import inf

import trio

IN_A_ROW = 5
"""So many failures without a good answer between them: leave it alone."""
_FIRST_REST, _LONGEST_REST = 1.0, 15.0


class Breaker:
    """The failures of one thing that answers calls. Once it is open, one call may begin a rest,
    and the rests grow; one answer closes it."""

    def __init__(self) -> None:
        self.failures = 0
        self.began = inf
        self._rest = _FIRST_REST
        self.rests_until = -inf

    @property
    def is_open(self) -> bool:
        return self.failures >= IN_A_ROW

    @property
    def is_due(self) -> bool:
        """Whether it is open and its rest over."""
        return self.is_open and trio.current_time() >= self.rests_until

    def failed(self) -> None:
        self.failures += 1
        if self.failures == 1:
            self.began = trio.current_time()
        if self.failures == IN_A_ROW:
            self.rest()

    def answered(self) -> None:
        self.failures = 0
        self.began = inf
        self._rest = _FIRST_REST

    def rest(self) -> None:
        """Leave it alone from now on: a call that tries it has just begun, or it has failed."""
        self.rests_until = trio.current_time() + self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)
