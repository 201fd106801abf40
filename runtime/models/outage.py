"""A model of which every call fails: told, tried with one call now and then, at last given up."""

from __future__ import annotations

import trio
from msgspec import Struct

from dpipe.runtime.models.breaker import Breaker
from dpipe.runtime.models.protocol import Unavailable

FAILURES = 10
"""So many in a row at least before a model is given up."""
OUTAGE = 75.0
"""Seconds of failures alone after which a model is given up until it answers again."""
OUTAGE_AT_FIRST = 30.0
"""The same of a model that has not answered yet."""


class Trouble(Struct, frozen=True):
    """Calls of a model have failed ``times`` in a row, from ``began`` on; ``message`` is of the
    last one. Once ``given_up`` its calls fail without waiting."""

    message: str
    times: int
    began: float
    given_up: bool = False


class Outage:
    """Whether a model answers, as its calls tell it. ``trouble`` is None while it does.

    A model that is busy answers, though its trouble is told.
    """

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        self.given_up = trio.Event()
        self._breaker = Breaker()
        self._has_answered = False

    def answered(self) -> None:
        self.trouble = None
        self._has_answered = True
        self._is_there()

    def busy(self, error: Unavailable) -> None:
        self._is_there()
        self._note(error)

    def failed(self, error: Unavailable) -> None:
        self._breaker.failed()
        if self._is_hopeless():
            self.given_up.set()
        self._note(error)

    async def rested(self) -> None:
        """Wait while the model is left alone; raises ``Unavailable`` once it is given up."""
        breaker = self._breaker
        while breaker.is_open and not breaker.is_due:
            if self.given_up.is_set():
                raise self._unavailable()
            with trio.move_on_at(breaker.rests_until):
                await self.given_up.wait()
        if breaker.is_open:
            breaker.rest()

    def _is_there(self) -> None:
        self._breaker.answered()
        if self.given_up.is_set():
            self.given_up = trio.Event()

    def _is_hopeless(self) -> bool:
        patience = OUTAGE if self._has_answered else OUTAGE_AT_FIRST
        lasted = trio.current_time() - self._breaker.began
        return self._breaker.failures >= FAILURES and lasted >= patience

    def _note(self, error: Unavailable) -> None:
        before = self.trouble
        times, began = (before.times, before.began) if before else (0, trio.current_time())
        self.trouble = Trouble(error.message, times + 1, began, self.given_up.is_set())

    def _unavailable(self) -> Unavailable:
        trouble = self.trouble
        assert trouble is not None
        return Unavailable(
            f"{trouble.message}; so the last {trouble.times} calls failed, and this was not made",
            kind="server",
        )
