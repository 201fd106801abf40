"""Budgets: nothing begins that may cost too much, what has begun is kept, a later run goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from dpipe.lang.types import STR
from dpipe.runtime.budget import Budget, Spending
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.gate import Gate, GatedModel
from dpipe.runtime.models.lengths import Lengths
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.protocol import Message, Reply, Request, Usage
from dpipe.runtime.run import RunResult
from tests.runtime.programs import Folder
from tests.server import Server, serving

ROWS = 40


def virtually(main: Callable[[], Awaitable[object]]) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


# -- the budget alone ----------------------------------------------------------------------------


@given(
    limit=st.integers(1, 100),
    calls=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 1), st.floats(0, 3)), max_size=40),
)
def test_where_no_call_takes_more_than_was_reserved_the_limit_holds(
    limit: int, calls: list[tuple[int, float, float]]
) -> None:
    budget = Budget(max_tokens=limit)
    spent: list[float] = []

    async def call(most: int, share: float, seconds: float) -> None:
        await budget.reserve(Spending(tokens=most))
        await trio.sleep(seconds)
        spent.append(most * share)
        budget.settle(Spending(tokens=most), Spending(tokens=most * share))

    async def main() -> None:
        with trio.move_on_after(1000):
            async with trio.open_nursery() as nursery:
                for one in calls:
                    nursery.start_soon(call, *one)

    virtually(main)
    assert sum(spent) <= limit
    assert budget.in_flight == 0
    assert (len(spent) == len(calls)) != budget.over.is_set()


def test_a_call_waits_for_what_those_under_way_leave_over() -> None:
    budget = Budget(max_cost=1.0)
    begun: list[float] = []

    async def call() -> None:
        await budget.reserve(Spending(cost=0.6))
        begun.append(trio.current_time())
        await trio.sleep(1)
        budget.settle(Spending(cost=0.6), Spending(cost=0.1))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(call)

    virtually(main)
    assert begun == [0, 1, 2]


def test_nothing_begins_once_it_is_stopped() -> None:
    budget = Budget()

    async def main() -> None:
        budget.stop("time is over")
        with trio.move_on_after(1000) as scope:
            await budget.reserve()
        assert scope.cancelled_caught

    virtually(main)
    assert (budget.in_flight, budget.reason) == (0, "time is over")


# -- what a call may take ------------------------------------------------------------------------


def test_the_most_of_an_answer_is_its_limit_or_the_longest_so_far() -> None:
    lengths = Lengths()
    assert lengths.guess(300, limit=50).most.output == 50
    lengths.learn(300, Usage(90, 5000))
    assert lengths.guess(300).most.output == 5000
    for _ in range(200):
        lengths.learn(300, Usage(90, 100))
    assert 100 <= lengths.guess(300).most.output < 200


def test_a_prompt_that_took_more_tokens_than_its_length_says_is_learnt_from() -> None:
    lengths = Lengths()
    assert lengths.guess(300).most.input < 200
    lengths.learn(300, Usage(290, 10))
    assert lengths.guess(300).most.input == 290


class Talker:
    name = scope = "talker"

    def __init__(self, usage: Usage) -> None:
        self.calls = 0
        self.usage = usage

    async def complete(self, request: Request) -> Reply:
        await trio.sleep(1)
        self.calls += 1
        return Reply("hi", usage=self.usage)

    async def aclose(self) -> None: ...


@pytest.mark.parametrize("usage", [Usage(50, 50), Usage(0, 0)])
def test_a_model_that_tells_no_usage_spends_what_was_reserved(usage: Usage) -> None:
    talker, budget = Talker(usage), Budget(max_tokens=1000)
    options = ModelOptions.model_validate({"url": "http://x", "concurrency": 4})
    model = GatedModel(talker, Gate("talker", options, budget=budget))
    request = Request((Message("user", "x" * 100),), None, STR, {"max_tokens": 50})

    async def main() -> None:
        with trio.move_on_after(1000):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(model.complete, request)

    virtually(main)
    assert 8 <= talker.calls <= 10
    assert "--max-tokens 1000 is reached" in budget.reason


# -- whole runs ----------------------------------------------------------------------------------

PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", concurrency: 4, max_tokens: 60, price: { input: 1, output: 9 })

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt first(text: str) -> str { user: "One word about {text}" }

prompt second(text: str) -> str { user: "Two words about {text}" }

flow done = docs | ask(first, using: gen, as: .one) | ask(second, using: gen, as: .two)

sink out = done | jsonl("out/all.jsonl")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"id": at, "text": f"Stone {at} is grey."} for at in range(ROWS)])
    return made


def run(folder: Folder, server: Server, **settings: Any) -> RunResult:
    return folder.run(PROGRAM.replace("URL", server.url), **settings)


def until_done(folder: Folder, server: Server, **settings: Any) -> list[RunResult]:
    """Runs it again and again, with the same budget each time."""
    results = [run(folder, server, **settings)]
    while results[-1].status == "stopped" and len(results) < 100:
        results.append(run(folder, server, **settings))
    return results


@pytest.mark.parametrize("budget", [{"max_cost": 0.003}, {"max_tokens": 600}])
def test_a_run_stops_before_its_budget_is_overshot_and_goes_on_later(
    folder: Folder, budget: dict[str, Any]
) -> None:
    with serving() as server:
        whole = Folder(folder.root / "whole")
        whole.write("in.jsonl", (folder.root / "in.jsonl").read_text())
        assert run(whole, server).status == "done"
        server.reset()
        results = until_done(folder, server, **budget)
        assert results[-1].status == "done"
        assert len(results) > 2
        for result in results[:-1]:
            assert (result.exit_code, result.outputs) == (4, ())
            assert result.cost is not None
            assert result.cost <= budget.get("max_cost", 1)
            assert result.input_tokens + result.output_tokens <= budget.get("max_tokens", 1e9)
            assert result.message is not None
            assert "is reached" in result.message
            assert "run it again to go on" in result.message
        assert max(server.stats().prompts.values()) == 1
        assert len(server.stats().prompts) == 2 * ROWS
    same = [(each.root / "out/all.jsonl").read_bytes() for each in (folder, whole)]
    assert same[0] == same[1]


def test_rows_that_were_finished_are_in_the_partial_file(folder: Folder) -> None:
    with serving() as server:
        program = PROGRAM.replace(" | ask(second, using: gen, as: .two)", "")
        result = folder.run(program.replace("URL", server.url), max_tokens=500)
    assert (result.status, result.nodes[-1].label) == ("stopped", "out")
    rows = folder.read("out/all.jsonl.partial")
    assert [row["id"] for row in rows] == list(range(len(rows)))
    assert 0 < len(rows) == result.nodes[-1].passed <= result.calls


def test_a_run_stops_in_time_and_keeps_what_was_under_way(folder: Folder) -> None:
    with serving(latency=0.1) as server:
        result = run(folder, server, within=0.25)
        assert (result.status, result.exit_code) == ("stopped", 4)
        assert result.message is not None
        assert result.message.startswith("--within 0.25s is over; ")
        before = server.stats().total
        assert 0 < before == result.calls < 2 * ROWS
        assert run(folder, server).calls == 2 * ROWS - before


def test_a_model_without_a_price_is_told_before_any_call(folder: Folder) -> None:
    with serving() as server:
        program = PROGRAM.replace("URL", server.url).replace(", price: { input: 1, output: 9 }", "")
        with pytest.raises(UsageError, match="the model `gen` costs") as raised:
            folder.run(program, max_cost=1.0)
        assert raised.value.hint is not None
        assert "price: {" in raised.value.hint
        assert server.stats().total == 0
    assert folder.files() == []


@pytest.mark.parametrize(
    ("allowed", "status"),
    [(3, "stopped"), (4, "rows lost"), ("2%", "stopped"), ("5%", "rows lost")],
)
def test_more_failures_than_are_allowed_stop_the_run(
    folder: Folder, allowed: int | str, status: str
) -> None:
    texts = [f"Stone {at}. {'[[400]]' if at < 4 else ''}" for at in range(ROWS)]
    folder.rows("in.jsonl", [{"id": at, "text": text} for at, text in enumerate(texts)])
    with serving(latency=0.05) as server:
        result = run(folder, server, max_errors=allowed)
        assert result.status == status
        if status == "stopped":
            assert result.message is not None
            assert f"--max-errors {allowed} is reached" in result.message
            assert server.stats().total < 2 * ROWS


def test_rows_that_failed_too_often_are_asked_for_again(folder: Folder) -> None:
    texts = [f"Stone {at}. {'[[400:1]]' if at < 4 else ''}" for at in range(ROWS)]
    folder.rows("in.jsonl", [{"id": at, "text": text} for at, text in enumerate(texts)])
    with serving(latency=0.05) as server:
        program = PROGRAM.replace(" | ask(second, using: gen, as: .two)", "")
        program = program.replace("URL", server.url)
        assert folder.run(program, max_errors=0).status == "stopped"
        failed = server.stats().statuses["400"]
        result = folder.run(program, max_errors=4 - failed)
        assert result.status == ("done" if failed == 4 else "rows lost")
        assert server.stats().statuses["400"] == 4
