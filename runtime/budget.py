"""What a run may spend: money and tokens, reserved before each call and settled behind it."""

from __future__ import annotations

from collections import deque

import trio
from msgspec import Struct

from dpipe.runtime.models.protocol import Usage


class Stopped(Exception):
    """The run has come to a limit; ``reason`` says to which.

    Where that is one ``of_failures`` the next run asks for the rows that failed again.
    """

    def __init__(self, reason: str, *, of_failures: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of_failures = of_failures


class Spending(Struct, frozen=True):
    """USD and tokens."""

    cost: float = 0.0
    tokens: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.cost + other.cost, self.tokens + other.tokens)

    def __sub__(self, other: Spending) -> Spending:
        return Spending(self.cost - other.cost, self.tokens - other.tokens)


NOTHING = Spending()


def spending(usage: Usage, cost: float | None) -> Spending:
    return Spending(cost or 0.0, usage.input + usage.output)


class Budget:
    """Whom every call of a run asks before it begins.

    In the order of asking, a call begins when the most that it should take is left beside what
    those under way may take. Where that is not so though none is under way, or somebody calls
    ``stop``, no call begins any more: who asks then waits for ever, to be cancelled with the run.
    """

    def __init__(self, max_cost: float | None = None, max_tokens: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self.in_flight = 0
        self.over = trio.Event()
        self.reason = ""
        self.of_failures = False
        self._spent = NOTHING
        self._reserved = NOTHING
        self._line: deque[tuple[Spending, trio.Event]] = deque()

    @property
    def is_counted(self) -> bool:
        """Whether ``reserve`` wants to know what a call may take."""
        return self.max_cost is not None or self.max_tokens is not None

    def stop(self, reason: str, *, of_failures: bool = False) -> None:
        """Let no further call begin; the first reason stays."""
        if not self.over.is_set():
            self.reason = reason
            self.of_failures = of_failures
            self.over.set()

    async def reserve(self, most: Spending = NOTHING) -> None:
        """Wait until a call that takes at most so much may begin; ``settle`` has to follow."""
        if not (self._line or self.over.is_set() or self._lacking(most)):
            self._begin(most)
            return
        place = (most, trio.Event())
        self._line.append(place)
        self._admit()
        try:
            await place[1].wait()
        except trio.Cancelled:
            self._line.remove(place)
            self._admit()
            raise

    def settle(self, most: Spending, spent: Spending) -> None:
        """A call for which ``most`` was reserved is over and took ``spent``."""
        self.in_flight -= 1
        self._reserved = self._reserved - most if self.in_flight else NOTHING
        self._spent += spent
        self._admit()

    def _begin(self, most: Spending) -> None:
        self.in_flight += 1
        self._reserved += most

    def _admit(self) -> None:
        """Let those begin that waited longest, as far as it goes."""
        while self._line and not self.over.is_set():
            most, turn = self._line[0]
            if lacking := self._lacking(most):
                if not self.in_flight:
                    self.stop(lacking)
                return
            self._line.popleft()
            self._begin(most)
            turn.set()

    def _lacking(self, most: Spending) -> str:
        """Which limit a call would go over; empty where none."""
        if not self.is_counted:
            return ""
        then = self._spent + self._reserved + most
        spent = self._spent
        if self.max_cost is not None and then.cost > self.max_cost:
            return (
                f"--max-cost {self.max_cost:g} is reached: ${spent.cost:.4g} is spent, and the next"
                f" call may cost ${most.cost:.2g}"
            )
        if self.max_tokens is not None and then.tokens > self.max_tokens:
            return (
                f"--max-tokens {self.max_tokens} is reached: {spent.tokens:.0f} are used, and the"
                f" next call may take {most.tokens:.0f}"
            )
        return ""
