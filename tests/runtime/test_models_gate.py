"""The gate: places, rates and patience, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from math import inf
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from dpipe.lang.types import STR
from dpipe.runtime.models import endpoint
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.endpoint import Spread
from dpipe.runtime.models.gate import ATTEMPTS, CallEnded, Gate, GatedModel, ignore
from dpipe.runtime.models.options import ModelOptions, read_options
from dpipe.runtime.models.protocol import (
    Message,
    RejectedRequest,
    Reply,
    Request,
    Unavailable,
    Usage,
)
from dpipe.runtime.models.statuses import Who

REQUEST = Request((Message("user", "hello"),), None, STR, {})


def busy(retry_after: float | None = None) -> Unavailable:
    return Unavailable("busy", kind="rate", status=429, retry_after=retry_after)


def broken() -> Unavailable:
    return Unavailable("broken", kind="server", status=500)


class Endpoint:
    """Takes ``seconds`` a call; raises what ``troubles`` gives until it gives nothing."""

    name = scope = "fake"

    def __init__(self, seconds: float = 1.0, troubles: Iterable[Exception | None] = ()) -> None:
        self.seconds = seconds
        self.troubles = iter(troubles)
        self.in_flight = self.most = 0
        self.starts: list[float] = []

    async def complete(self, request: Request) -> Reply:
        self.starts.append(trio.current_time())
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        if (trouble := next(self.troubles, None)) is not None:
            raise trouble
        return Reply("hi", usage=Usage(10, 20))

    async def aclose(self) -> None: ...


def gated(
    endpoint: Endpoint, on_call: Callable[[CallEnded], None] = ignore, **options: Any
) -> GatedModel:
    read = ModelOptions.model_validate({"url": "http://x", **options})
    gate = Gate("fake", read, on_call=on_call)
    return GatedModel(endpoint, gate)


def run(main: Callable[[], Awaitable[object]]) -> float:
    """Runs in virtual time; the seconds that went by."""

    async def timed() -> float:
        started = trio.current_time()
        await main()
        return trio.current_time() - started

    return trio.run(timed, clock=MockClock(autojump_threshold=0))


def ask(model: GatedModel, times: int) -> float:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(times):
                nursery.start_soon(model.complete, REQUEST)

    return run(main)


def test_declared_places_are_all_used_and_no_more() -> None:
    endpoint = Endpoint(seconds=1.0)
    assert ask(gated(endpoint, concurrency=100), 1000) == pytest.approx(10.0)
    assert endpoint.most == 100


def test_without_declared_places_it_starts_at_eight_and_grows() -> None:
    endpoint = Endpoint(seconds=1.0)
    ask(gated(endpoint), 400)
    assert endpoint.starts.count(endpoint.starts[0]) == 8
    assert endpoint.most > 64


def test_places_do_not_grow_while_latency_rises() -> None:
    endpoint = Endpoint(seconds=1.0)
    model = gated(endpoint)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(600):
                nursery.start_soon(model.complete, REQUEST)
            await trio.sleep(2.5)
            endpoint.seconds = 20.0
            await trio.sleep(45.0)
            limit = model.gate.slots.limit
            await trio.sleep(60.0)
            assert model.gate.slots.limit == limit

    run(main)


def test_a_busy_endpoint_halves_the_places_once_for_calls_that_ran_together() -> None:
    endpoint = Endpoint(troubles=[busy() for _ in range(16)])
    events: list[CallEnded] = []
    ask(gated(endpoint, events.append, concurrency=16), 16)
    assert min(event.limit for event in events) == 8


def test_after_halving_places_grow_again_to_the_declared_number() -> None:
    endpoint = Endpoint(troubles=[busy() for _ in range(10)])
    model = gated(endpoint, concurrency=10)
    ask(model, 300)
    assert model.gate.slots.limit == 10
    assert endpoint.most == 10


def test_a_busy_answer_now_and_then_costs_no_places() -> None:
    endpoint = Endpoint(troubles=(busy(1.0) if number % 20 == 3 else None for number in count()))
    assert ask(gated(endpoint, concurrency=100), 1000) < 15.0


def test_places_never_fall_below_an_eighth_of_the_declared() -> None:
    endpoint = Endpoint(troubles=[busy() for _ in range(2000)])
    events: list[CallEnded] = []
    ask(gated(endpoint, events.append, concurrency=80), 80)
    assert min(event.limit for event in events) == 10


def test_retry_after_is_obeyed_by_the_call_that_it_was_told() -> None:
    endpoint = Endpoint(seconds=1.0, troubles=[busy(retry_after=30.0)])
    ask(gated(endpoint), 1)
    assert endpoint.starts[0] == 0.0
    assert 31.0 <= endpoint.starts[1] <= 32.0


def test_where_everybody_is_turned_away_every_call_waits() -> None:
    endpoint = Endpoint(seconds=1.0, troubles=[busy(retry_after=30.0) for _ in range(5)])
    ask(gated(endpoint, concurrency=5), 50)
    told, others = endpoint.starts[:5], endpoint.starts[5:]
    assert told == [0.0] * 5
    assert all(start >= 31.0 for start in others)


def test_a_busy_endpoint_never_spends_the_attempts_of_a_row() -> None:
    endpoint = Endpoint(troubles=[busy() for _ in range(ATTEMPTS * 2)])
    ask(gated(endpoint), 1)
    assert len(endpoint.starts) == ATTEMPTS * 2 + 1


def test_an_endpoint_that_is_busy_for_ever_is_given_up() -> None:
    endpoint = Endpoint(troubles=iter(busy, None))
    with pytest.raises(Unavailable, match="busy"):
        run(lambda: gated(endpoint).complete(REQUEST))


@pytest.mark.parametrize("told", [0.1, 1.0, 1800.0])
def test_an_endpoint_that_puts_off_for_ever_is_given_up(told: float) -> None:
    endpoint = Endpoint(troubles=iter(lambda: busy(told), None))
    with pytest.raises(Unavailable, match="busy"):
        run(lambda: gated(endpoint).complete(REQUEST))
    assert 600.0 < endpoint.starts[-1] < 2 * 3600.0


def test_a_wait_of_days_is_not_waited_for() -> None:
    endpoint = Endpoint(troubles=[busy(retry_after=90_000.0)])
    with pytest.raises(Unavailable, match="busy"):
        run(lambda: gated(endpoint).complete(REQUEST))


def test_other_trouble_is_tried_ten_times_with_growing_waits() -> None:
    endpoint = Endpoint(seconds=0.0, troubles=iter(broken, None))
    with pytest.raises(Unavailable, match="broken"):
        run(lambda: gated(endpoint).complete(REQUEST))
    assert len(endpoint.starts) == ATTEMPTS == 10
    waits = [b - a for a, b in zip(endpoint.starts, endpoint.starts[1:], strict=False)]
    assert 0.25 <= waits[0] <= 0.5
    assert 10.0 <= waits[-1] <= 20.0


def test_a_call_that_waits_to_try_again_holds_no_place() -> None:
    endpoint = Endpoint(seconds=1.0, troubles=[broken()])
    ask(gated(endpoint, concurrency=1), 2)
    # the second call runs from 1.0 on, while the first one backs off until 1.25 or later
    assert endpoint.starts[1] == 1.0


def test_a_rejected_request_is_not_repeated() -> None:
    endpoint = Endpoint(troubles=[RejectedRequest("no", status=400)])
    with pytest.raises(RejectedRequest):
        run(lambda: gated(endpoint).complete(REQUEST))
    assert len(endpoint.starts) == 1


def test_requests_per_minute_are_spaced_and_never_exceeded() -> None:
    endpoint = Endpoint(seconds=0.0)
    assert ask(gated(endpoint, concurrency=50, rpm=60), 61) == pytest.approx(60.0)
    assert endpoint.starts == pytest.approx([float(at) for at in range(61)])


def test_tokens_per_minute_count_what_the_endpoint_counted() -> None:
    endpoint = Endpoint(seconds=0.0)
    seconds = ask(gated(endpoint, concurrency=1, tpm=30), 21)
    # 30 tokens a call: a call a minute, whatever was guessed at first
    assert seconds == pytest.approx(20 * 60.0, rel=0.01)


def test_a_cancelled_call_gives_its_place_back() -> None:
    endpoint = Endpoint(seconds=10.0)
    model = gated(endpoint, concurrency=1)

    async def main() -> None:
        with trio.move_on_after(1.0):
            await model.complete(REQUEST)
        with trio.move_on_after(1.0):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(model.complete, REQUEST)
                nursery.start_soon(model.complete, REQUEST)
        assert model.gate.slots.in_use == 0
        await model.complete(REQUEST)

    assert run(main) == pytest.approx(12.0)


def test_each_attempt_is_told_with_its_usage_latency_and_cost() -> None:
    events: list[CallEnded] = []
    endpoint = Endpoint(seconds=2.0, troubles=[broken()])
    ask(gated(endpoint, events.append, price={"input": 1.0, "output": 2.0}), 1)
    failed, good = events
    assert (failed.trouble, failed.usage) == ("server", Usage())
    assert (good.trouble, good.usage, good.seconds) == (None, Usage(10, 20), 2.0)
    assert good.cost == pytest.approx(50 / 1e6)


def test_waits_are_the_same_for_the_same_seed() -> None:
    def starts() -> list[float]:
        endpoint = Endpoint(troubles=[broken(), busy(), broken()])
        ask(gated(endpoint), 1)
        return endpoint.starts

    assert starts() == starts()


def test_options_that_cannot_be_are_told_in_words() -> None:
    from dpipe.runtime.errors import UsageError

    with pytest.raises(UsageError, match="model `gen`: `concurrency:`"):
        read_options("gen", {"url": "http://x", "concurrency": 0})
    with pytest.raises(UsageError, match="model `gen`: `url:` is missing"):
        read_options("gen", {})
    with pytest.raises(UsageError, match='"localhost:8000" is no address'):
        read_options("gen", {"url": "localhost:8000"})


# -- a model that does not answer ----------------------------------------------------------------


class Outcome:
    """How many of many rows were answered, and when the last one ended."""

    def __init__(self) -> None:
        self.answered = self.failed = 0
        self.seconds = 0.0


def ask_rows(model: GatedModel, rows: int, at_once: int = 16) -> Outcome:
    """Asks for rows as a stage does: so many at once, the others when there is room."""
    outcome = Outcome()

    async def row(room: trio.CapacityLimiter) -> None:
        async with room:
            try:
                await model.complete(REQUEST)
                outcome.answered += 1
            except Unavailable:
                outcome.failed += 1

    async def main() -> None:
        room = trio.CapacityLimiter(at_once)
        async with trio.open_nursery() as nursery:
            for _ in range(rows):
                nursery.start_soon(row, room)

    outcome.seconds = run(main)
    return outcome


class Down(Endpoint):
    """Refuses every call at once, between two times."""

    def __init__(self, began: float, ended: float) -> None:
        super().__init__()
        self.began, self.ended = began, ended

    async def complete(self, request: Request) -> Reply:
        if self.began <= trio.current_time() < self.ended:
            self.starts.append(trio.current_time())
            raise Unavailable("no connection to x:1", kind="connection")
        return await super().complete(request)


def test_a_model_that_never_answers_fails_its_rows_within_half_a_minute() -> None:
    endpoint = Down(0, inf)
    outcome = ask_rows(gated(endpoint), 5000)
    assert outcome.failed == 5000
    assert 30 <= outcome.seconds < 31
    assert len(endpoint.starts) < 20


def test_an_outage_of_a_minute_harms_no_row() -> None:
    endpoint = Down(3, 63)
    outcome = ask_rows(gated(endpoint), 500)
    assert (outcome.answered, outcome.failed) == (500, 0)
    tries = [at for at in endpoint.starts if 3 <= at < 63]
    assert len(tries) < 40


def test_a_model_that_is_given_up_is_tried_now_and_then_and_taken_back() -> None:
    endpoint = Down(3, 200)
    model = gated(endpoint)

    async def main() -> None:
        answered = []
        for second in range(300):
            await trio.sleep_until(second)
            try:
                await model.complete(REQUEST)
                answered.append(second)
            except Unavailable:
                pass
        assert set(range(220, 299)) <= set(answered)

    run(main)
    assert len([at for at in endpoint.starts if 110 <= at < 200]) <= 7


def test_a_call_that_alone_fails_is_tried_ten_times_while_others_are_answered() -> None:
    class Half(Endpoint):
        async def complete(self, request: Request) -> Reply:
            if request.raw == "bad":
                self.starts.append(trio.current_time())
                raise broken()
            return Reply("hi")

    endpoint = Half()
    model = gated(endpoint)
    failures: list[str] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(good)
            try:
                await model.complete(Request((), "bad", STR, {}))
            except Unavailable as error:
                failures.append(error.message)
            nursery.cancel_scope.cancel()

    async def good() -> None:
        while True:
            await trio.sleep(0.2)
            await model.complete(REQUEST)

    run(main)
    assert failures == ["broken"]
    assert len(endpoint.starts) == ATTEMPTS


def test_its_trouble_is_told_until_it_answers() -> None:
    endpoint = Endpoint(seconds=0.0, troubles=[broken(), busy(), broken()])
    told: list[tuple[str, int] | None] = []

    def note(event: CallEnded) -> None:
        trouble = model.gate.outage.trouble
        told.append((trouble.message, trouble.times) if trouble else None)

    model = gated(endpoint, note)
    ask(model, 1)
    assert told == [("broken", 1), ("busy", 2), ("broken", 3), None]


# -- what single clauses hold --------------------------------------------------------------------


@pytest.mark.parametrize(("status", "least"), [(503, 8), (529, 8), (500, 16), (502, 16)])
def test_an_overloaded_endpoint_halves_the_places_and_a_broken_one_does_not(
    status: int, least: int
) -> None:
    trouble = Unavailable("no", kind="server", status=status)
    endpoint = Endpoint(troubles=[trouble if number % 4 else None for number in range(12)])
    events: list[CallEnded] = []
    ask(gated(endpoint, events.append, concurrency=16), 32)
    assert min(event.limit for event in events) == least


def test_calls_that_failed_together_do_not_come_back_together() -> None:
    endpoint = Endpoint(seconds=0.0, troubles=[broken() for _ in range(4)])
    ask(gated(endpoint, concurrency=4), 4)
    assert endpoint.starts[:4] == [0.0] * 4
    assert len(set(endpoint.starts[4:])) == 4


def test_busy_answers_between_count_for_none_of_the_ten_tries() -> None:
    troubles = [busy() if number % 3 else broken() for number in range(27)]
    endpoint = Endpoint(troubles=troubles)
    assert sum(trouble.kind != "rate" for trouble in troubles) == ATTEMPTS - 1
    ask(gated(endpoint), 1)
    assert len(endpoint.starts) == 28


def test_the_rate_is_no_credit_for_a_time_without_calls() -> None:
    endpoint = Endpoint(seconds=0.0)
    model = gated(endpoint, concurrency=50, rpm=60)

    async def main() -> None:
        await model.complete(REQUEST)
        await trio.sleep(3600)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(model.complete, REQUEST)

    run(main)
    assert endpoint.starts[1:] == [3600.0 + at for at in range(5)]


@pytest.mark.parametrize("rate", [{"rpm": 60}, {"tpm": 60 * 30}])
def test_all_stages_that_ask_a_model_share_its_rate_and_its_places(rate: dict[str, int]) -> None:
    endpoint = Endpoint(seconds=0.0)
    model = gated(endpoint, concurrency=2, **rate)

    async def stage() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(model.complete, REQUEST)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(stage)

    # what is guessed of the first calls is paid back by the later ones
    assert run(main) == pytest.approx(29.0, abs=12.0)
    assert endpoint.most <= 2


def test_a_model_that_does_not_answer_holds_up_no_row_of_another() -> None:
    down, well = Down(0, inf), Endpoint(seconds=1.0)
    models = [gated(down, concurrency=4), gated(well, concurrency=4)]
    ended: list[float] = []

    async def row(model: GatedModel) -> None:
        try:
            await model.complete(REQUEST)
            ended.append(trio.current_time())
        except Unavailable:
            pass

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                for model in models:
                    nursery.start_soon(row, model)

    run(main)
    assert (len(ended), max(ended)) == (40, pytest.approx(10.0, abs=4.0))
    assert models[1].gate.outage.trouble is None


def test_a_model_that_came_back_is_given_its_ten_tries_again() -> None:
    endpoint = Down(0, 200)
    model = gated(endpoint)

    async def main() -> None:
        while trio.current_time() < 230:
            try:
                await model.complete(REQUEST)
            except Unavailable:
                await trio.sleep(1.0)
        endpoint.troubles = iter([broken() for _ in range(ATTEMPTS - 1)])
        await model.complete(REQUEST)

    run(main)


# -- several addresses ---------------------------------------------------------------------------


class Road:
    """A way to an address that takes ``seconds``, and fails while ``trouble`` says how."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.status = 200
        self.starts: list[float] = []

    async def post(self, path: str, body: bytes) -> Answer:
        self.starts.append(trio.current_time())
        await trio.sleep(self.seconds)
        said = b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}'
        return Answer(self.status, {}, said if self.status == 200 else b"{}")

    async def get(self, path: str) -> Answer:
        raise AssertionError

    async def aclose(self) -> None: ...


class Spreading:
    """A model behind its gate, over addresses that are ``roads``."""

    name = scope = "spread"

    def __init__(self, *roads: Road, timeout: float = 60.0, concurrency: int = 4) -> None:
        self.spread = Spread(
            [
                endpoint.Endpoint(Who("m", "m", f"http://{at}/v1", None), lambda r=r: r, timeout)
                for at, r in enumerate(roads)
            ]
        )
        options = ModelOptions.model_validate({"url": "http://x", "concurrency": concurrency})
        self.gated = GatedModel(self, Gate("m", options))

    async def complete(self, request: Request) -> Reply:
        return await self.spread.ask(lambda one: one.complete(request, {}))

    async def aclose(self) -> None: ...


def test_a_time_out_begins_with_the_call_and_not_in_the_queue() -> None:
    road = Road(seconds=1.0)
    model = Spreading(road, timeout=1.5, concurrency=1)
    assert ask(model.gated, 20) == pytest.approx(20.0)
    assert len(road.starts) == 20


def test_an_attempt_that_hangs_is_timed_out_by_itself() -> None:
    road = Road(seconds=100.0)
    model = Spreading(road, timeout=2.0, concurrency=1)

    async def mend() -> None:
        await trio.sleep(3.0)
        road.seconds = 1.0

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mend)
            await model.gated.complete(REQUEST)

    run(main)
    assert road.starts[0] == 0.0
    assert 2.25 <= road.starts[1] <= 2.5


def test_a_slower_address_is_given_less() -> None:
    fast, slow = Road(1.0), Road(3.0)
    ask(Spreading(fast, slow, concurrency=8).gated, 400)
    assert len(fast.starts) == pytest.approx(300, abs=12)


def test_an_address_that_is_sick_is_left_alone_and_taken_back() -> None:
    sick, well = Road(0.5), Road(0.5)
    model = Spreading(sick, well)
    told: list[tuple[str, ...]] = []

    async def watch() -> None:
        sick.status = 500
        await trio.sleep(60)
        told.append(model.spread.resting)
        sick.status = 200
        await trio.sleep(60)
        told.append(model.spread.resting)

    async def rows() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(asking)

    async def asking() -> None:
        while trio.current_time() < 120:
            await model.gated.complete(REQUEST)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            nursery.start_soon(rows)

    run(main)
    assert told == [("http://0/v1",), ()]
    assert len([at for at in sick.starts if at < 60]) <= 14
    assert len([at for at in sick.starts if at > 80]) > 100
    assert model.gated.gate.outage.trouble is None


def test_an_address_that_is_busy_is_not_left_alone() -> None:
    turned, well = Road(0.5), Road(0.5)
    model = Spreading(turned, well)
    turned.status = 429

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(model.gated.complete, REQUEST)
            await trio.sleep(20)
            assert model.spread.resting == ()
            turned.status = 200

    run(main)
