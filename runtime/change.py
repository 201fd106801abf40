"""Waking everybody who waits for something to change."""

from __future__ import annotations

import trio


class Change:
    """``tell`` wakes all who ``wait``; what they waited for they look up themselves."""

    def __init__(self) -> None:
        self._waiting = trio.lowlevel.ParkingLot()

    def tell(self) -> None:
        if self._waiting:
            self._waiting.unpark_all()

    async def wait(self) -> None:
        await self._waiting.park()
