"""What stands before every endpoint: places, rates, and patience with passing trouble.

A call holds a place till its reply is kept, and none while it backs off. A model of which every
call fails is tried with one call now and then while the others wait, and at last they fail without
waiting (``outage``). All times are trio's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from random import Random
from typing import TypeAlias, TypeVar

import trio
from msgspec import Struct

from dpipe.runtime.budget import NOTHING, Budget, Spending, spending
from dpipe.runtime.errors import EndpointRefused
from dpipe.runtime.models.embedding import CountingEmbedder, Embedded
from dpipe.runtime.models.lengths import Guess, Lengths, limit_of, size_of
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.outage import Outage
from dpipe.runtime.models.pace import Pace
from dpipe.runtime.models.protocol import (
    Model,
    RejectedRequest,
    Reply,
    Request,
    Unavailable,
    Usage,
)
from dpipe.runtime.models.slots import Slots

ATTEMPTS = 10
"""How often a call is made whose trouble is not the rate."""
PATIENCE = 600.0
"""Seconds without one good answer after which a busy endpoint counts as unavailable."""
LONGEST_TOLD = 3600.0
"""Seconds: an endpoint that asks to wait for longer is not waited for."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0
_ALL_BUSY = 5
"""So many busy answers without a good one between them: the endpoint turns everybody away."""
_OVERLOAD = frozenset({503, 529})
_NO_GUESS = Guess(0.0, Usage())

T = TypeVar("T")


class CallEnded(Struct, frozen=True):
    """One attempt is over. ``trouble`` is None, an ``Unavailable.kind``, ``rejected``,
    ``refused`` or ``cancelled``; ``status`` that of the answer, where there was one.

    ``cost`` is in USD, None without a declared price; ``in_use`` and ``limit`` are the model's
    places as they stood.
    """

    model: str
    seconds: float
    trouble: str | None
    usage: Usage
    cost: float | None
    in_use: int
    limit: int
    status: int | None = None


OnCall: TypeAlias = Callable[[CallEnded], None]
Keep: TypeAlias = Callable[[T], Awaitable[None]]
"""What is to be done with a reply before its call's place is free again."""


def ignore(event: CallEnded) -> None:
    """Of nobody's interest."""


class Gate:
    """The limits of one model, shared by everything that asks it.

    ``pending`` are the calls that somebody waits for, also while they are not under way.
    """

    def __init__(
        self,
        name: str,
        options: ModelOptions,
        *,
        on_call: OnCall = ignore,
        budget: Budget | None = None,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.slots = Slots(options.concurrency)
        self.outage = Outage()
        self.pending = 0
        self._requests = Pace(options.rpm) if options.rpm else None
        self._tokens = Pace(options.tpm) if options.tpm else None
        self._price = options.price
        self._on_call = on_call
        self._budget = budget or Budget()
        self._jitter = Random(f"{seed} {name}")
        self._resume_at = -inf
        self._good_at = -inf
        self._busy_in_a_row = 0

    @property
    def counts_tokens(self) -> bool:
        """Whether ``run`` wants to know about how many tokens a call will take."""
        return self._tokens is not None or self._budget.is_counted

    @property
    def backing_off(self) -> int:
        """How many calls wait to try again."""
        return self.pending - self.slots.in_use - self.slots.waiting

    async def run(
        self,
        call: Callable[[], Awaitable[T]],
        usage_of: Callable[[T], Usage],
        guess: Guess = _NO_GUESS,
        keep: Keep[T] | None = None,
    ) -> T:
        """Make the call when its turn comes, again after passing trouble.

        A busy endpoint is waited for while it answers anybody; other trouble is raised as
        ``Unavailable`` when it comes the tenth time, or when the model is given up. The guess is
        corrected by what ``usage_of`` tells. Once the run's budget is used up no call begins,
        and this waits for ever.
        """
        self.pending += 1
        try:
            return await self._answer(call, usage_of, guess, keep)
        finally:
            self.pending -= 1

    async def _answer(
        self,
        call: Callable[[], Awaitable[T]],
        usage_of: Callable[[T], Usage],
        guess: Guess,
        keep: Keep[T] | None,
    ) -> T:
        busy = failed = 0
        first_busy = inf
        while True:
            try:
                return await self._attempt(call, usage_of, guess, keep)
            except Unavailable as trouble:
                if trouble.kind == "rate":
                    busy += 1
                    first_busy = min(first_busy, trio.current_time())
                    if self._is_hopeless(trouble, first_busy):
                        raise
                    wait = self._wait_after(trouble, busy)
                else:
                    failed += 1
                    if failed == ATTEMPTS or self.outage.given_up.is_set():
                        raise
                    wait = self._wait_after(trouble, failed)
            with trio.move_on_after(wait):
                await self.outage.given_up.wait()

    def _is_hopeless(self, trouble: Unavailable, first_busy: float) -> bool:
        """Whether an endpoint that says it is busy will not answer in any useful time."""
        waited = trio.current_time() - max(first_busy, self._good_at)
        told = trouble.retry_after or 0.0
        return told > LONGEST_TOLD or waited > max(PATIENCE, 2 * told)

    async def _attempt(
        self,
        call: Callable[[], Awaitable[T]],
        usage_of: Callable[[T], Usage],
        guess: Guess,
        keep: Keep[T] | None,
    ) -> T:
        await self.slots.take()
        try:
            await self._turn(guess.likely)
            most = self._most(guess)
            await self._budget.reserve(most)
            result = await self._made(call, usage_of, guess, most)
            if keep is not None:
                await keep(result)
            return result
        finally:
            self.slots.give_back()

    async def _made(
        self,
        call: Callable[[], Awaitable[T]],
        usage_of: Callable[[T], Usage],
        guess: Guess,
        most: Spending,
    ) -> T:
        """The call itself, with what is reserved for it."""
        started = trio.current_time()
        trouble: str | None = "cancelled"
        status: int | None = None
        usage = Usage()
        try:
            result = await call()
            usage, trouble = usage_of(result), None
            self._went_well(started)
            return result
        except (Unavailable, RejectedRequest) as error:
            trouble = error.kind if isinstance(error, Unavailable) else "rejected"
            status = error.status
            self._went_wrong(error, started)
            raise
        except EndpointRefused:
            trouble = "refused"
            raise
        finally:
            untold = trouble is None and usage == Usage()
            self._budget.settle(most, most if untold else spending(usage, self._cost(usage)))
            if trouble is None and self._tokens is not None:
                self._tokens.correct(usage.input + usage.output - guess.likely)
            self._ended(trio.current_time() - started, trouble, status, usage)

    def _went_well(self, started: float) -> None:
        self._good_at = trio.current_time()
        self._busy_in_a_row = 0
        self.slots.went_well(self._good_at - started)
        self.outage.answered()

    def _went_wrong(self, error: Unavailable | RejectedRequest, started: float) -> None:
        if isinstance(error, RejectedRequest):
            self.outage.answered()
            return
        if error.kind == "rate" or error.status in _OVERLOAD:
            self._busy_in_a_row += 1
            self.slots.overloaded(started)
        if error.kind == "rate":
            self.outage.busy(error)
        else:
            self.outage.failed(error)

    async def _turn(self, tokens: float) -> None:
        """Wait until the endpoint may be called."""
        if self._requests is not None:
            await self._requests.wait()
        if self._tokens is not None:
            await self._tokens.wait(tokens)
        now = trio.current_time()
        while now < self._resume_at:
            await trio.sleep_until(self._resume_at)
            now = trio.current_time()
        await self.outage.rested()

    def _most(self, guess: Guess) -> Spending:
        """What to reserve for a call."""
        counted = self._budget.is_counted
        return spending(guess.most, self._cost(guess.most)) if counted else NOTHING

    def _ended(self, seconds: float, trouble: str | None, status: int | None, usage: Usage) -> None:
        in_use, limit = self.slots.in_use, int(self.slots.limit)
        cost = self._cost(usage)
        self._on_call(CallEnded(self.name, seconds, trouble, usage, cost, in_use, limit, status))

    def _wait_after(self, trouble: Unavailable, times: int) -> float:
        """Seconds until the next try, spread so that calls do not come back together."""
        spread = self._jitter.random()
        backoff = min(_FIRST_WAIT * 2.0 ** min(times - 1, 10), _LONGEST_WAIT) * (0.5 + spread / 2)
        if trouble.retry_after is None:
            return backoff
        told = trouble.retry_after
        if self._busy_in_a_row >= _ALL_BUSY:
            self._resume_at = max(self._resume_at, trio.current_time() + told)
        return told + spread * min(told * 0.1, 1.0)

    def _cost(self, usage: Usage) -> float | None:
        price = self._price
        if price is None:
            return None
        return (usage.input * price.input + usage.output * price.output) / 1e6


class GatedModel:
    """A model behind its gate."""

    def __init__(self, model: Model, gate: Gate) -> None:
        self.gate = gate
        self._model = model
        self._lengths = Lengths()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def scope(self) -> str:
        return self._model.scope

    @property
    def resting(self) -> tuple[str, ...]:
        """Those of its addresses that are left alone for a while."""
        return getattr(self._model, "resting", ())

    async def complete(self, request: Request, keep: Keep[Reply] | None = None) -> Reply:
        if not self.gate.counts_tokens:
            return await self.gate.run(lambda: self._model.complete(request), _usage, keep=keep)
        size = size_of(request)
        guess = self._lengths.guess(size, limit_of(request.options))
        reply = await self.gate.run(lambda: self._model.complete(request), _usage, guess, keep)
        self._lengths.learn(size, reply.usage)
        return reply

    async def aclose(self) -> None:
        await self._model.aclose()


class GatedEmbedder:
    """An embedder behind its gate."""

    def __init__(self, embedder: CountingEmbedder, gate: Gate) -> None:
        self.gate = gate
        self._embedder = embedder
        self._lengths = Lengths()

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def scope(self) -> str:
        return self._embedder.scope

    @property
    def resting(self) -> tuple[str, ...]:
        """Those of its addresses that are left alone for a while."""
        return getattr(self._embedder, "resting", ())

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
        size = sum(map(len, texts))
        guess = self._lengths.guess(size, limit=0)
        embedded = await self.gate.run(lambda: self._embedder.embed(texts), _usage, guess)
        self._lengths.learn(size, embedded.usage)
        return embedded.vectors

    async def aclose(self) -> None:
        await self._embedder.aclose()


def _usage(result: Reply | Embedded) -> Usage:
    return result.usage
