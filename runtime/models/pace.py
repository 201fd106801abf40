"""So much a minute and no more."""

from __future__ import annotations

from math import inf

import trio


class Pace:
    """Spaces starts evenly, so that no minute anywhere holds more than ``per_minute``."""

    def __init__(self, per_minute: float) -> None:
        self._each = 60.0 / per_minute
        self._free_at = -inf

    async def wait(self, amount: float = 1.0) -> None:
        """Return when ``amount`` may begin; the next begins after its share of a minute."""
        now = trio.current_time()
        start = max(now, self._free_at)
        self._free_at = start + amount * self._each
        if start > now:
            await trio.sleep_until(start)

    def correct(self, amount: float) -> None:
        """What was asked for turned out to be so much more, or less if negative."""
        self._free_at += amount * self._each
