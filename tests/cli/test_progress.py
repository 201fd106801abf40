from __future__ import annotations

import click

from dpipe.cli.live import Plain
from dpipe.cli.progress import Standing, block, one_line
from dpipe.runtime.events import (
    AnyEvent,
    ModelCount,
    NodeCount,
    Progress,
    RowRejected,
    RunStarted,
    Trouble,
)


def progress(at: float, asked: int, share: float | None = None) -> Progress:
    nodes = (
        NodeCount("docs", 8, 8, 8, {}),
        NodeCount("pairs: ask", asked + 16, asked - 2, asked - 2, {"failed:refused": 2}, 16),
    )
    models = (ModelCount("writer", asked, 84_000, 12_340, 0.1234, 16),)
    return Progress(elapsed=at, nodes=nodes, models=models, share=share)


def standing(*events: AnyEvent) -> Standing:
    now = Standing()
    now(RunStarted(elapsed=0, id="1", program="qa.dpipe", params={}, sinks=()))
    for event in events:
        now(event)
    return now


def test_the_pace_is_that_of_the_asks() -> None:
    now = standing(progress(1, 10), progress(3, 50))
    assert now.settled == 50
    assert now.rows_a_second == 20


def test_the_pace_moves_on_to_the_last_ask_that_rows_have_passed() -> None:
    def two(at: float, first: int, second: int) -> Progress:
        asks = [NodeCount("a: ask", n, n, n, {}) for n in (first, second)]
        return Progress(elapsed=at, nodes=tuple(asks), models=())

    now = standing(two(1, 100, 0), two(2, 200, 0))
    assert (now.settled, now.rows_a_second) == (200, 100)
    now(two(3, 300, 10))
    assert (now.settled, now.rows_a_second) == (10, 5)


def test_the_pace_forgets_what_is_long_past() -> None:
    now = standing(progress(0, 10), progress(50, 20), progress(55, 120))
    assert now.rows_a_second == 20


def test_the_time_left_follows_from_the_pace_and_the_rows_to_come() -> None:
    read_whole = standing(progress(1, 10, 1.0), progress(3, 50, 1.0))
    assert read_whole.seconds_left == 16 / 20
    half_read = standing(progress(1, 10, 0.25), progress(3, 50, 0.5))
    assert half_read.seconds_left == (2 * 66 - 50) / 20
    assert standing(progress(1, 10), progress(3, 50)).seconds_left is None
    assert standing(progress(1, 10, 0.5)).seconds_left is None


def test_the_ask_that_takes_longest_tells_the_time_left() -> None:
    def two(at: float, first: int, second: int) -> Progress:
        nodes = [NodeCount("docs", 100, 100, 100, {})]
        nodes += [NodeCount("a: ask", n, n, n, {}) for n in (first, second)]
        return Progress(elapsed=at, nodes=tuple(nodes), models=(), share=1.0)

    assert standing(two(1, 10, 10), two(2, 20, 20)).seconds_left == 8


def test_a_line_tells_rows_pace_tokens_and_cost() -> None:
    line = one_line(standing(progress(1, 10, 0.1), progress(3, 50, 0.5)))
    assert line == (
        "3.0 s · 50 rows · 20 rows/s · about 4.1 s left"
        " · writer 50 calls, 84k tokens in, 12k out, $0.12, 16 in flight"
    )


def test_a_failure_is_shown_with_its_place_and_cannot_move_the_cursor() -> None:
    rejected = RowRejected(
        elapsed=4, stage="pairs: ask", outcome="truncated", message="cut \x1b[2J", place="a.md:3"
    )
    lines = list(block(standing(progress(3, 50), rejected), 80, 24))
    assert "last failure: a.md:3: pairs: ask: truncated: cut \\x1b[2J" in click.unstyle(lines[-1])


def troubled(seconds: float, *, given_up: bool = False) -> Standing:
    trouble = Trouble("no connection to 127.0.0.1:8000", 3, seconds, given_up)
    model = ModelCount("writer", 3, 0, 0, None, trouble=trouble)
    return standing(Progress(elapsed=seconds, nodes=progress(1, 1).nodes, models=(model,)))


def test_a_model_whose_calls_fail_for_seconds_is_told() -> None:
    told = "writer: no connection to 127.0.0.1:8000, trying again (attempt 4)"
    assert told in one_line(troubled(3.5))
    assert any(told in line for line in block(troubled(3.5), 80, 24))
    assert "trying again" not in one_line(troubled(0.5))


def test_a_model_that_is_given_up_is_told() -> None:
    told = one_line(troubled(40, given_up=True))
    assert "127.0.0.1:8000, its rows fail until it answers again" in told


def test_an_address_that_is_left_alone_is_told() -> None:
    model = ModelCount("writer", 3, 0, 0, None, resting=("http://b/v1",))
    now = standing(Progress(elapsed=1, nodes=progress(1, 1).nodes, models=(model,)))
    assert "writer: http://b/v1 does not answer and is left alone" in one_line(now)


def test_rows_are_under_way_and_calls_in_flight() -> None:
    lines = list(map(click.unstyle, block(standing(progress(1, 50)), 80, 24)))
    [stage] = [line for line in lines if "pairs: ask" in line]
    [model] = [line for line in lines if "writer" in line]
    assert "16 under way" in stage
    assert "16 in flight" in model


def test_a_long_program_leaves_room_for_its_end() -> None:
    nodes = tuple(NodeCount(f"flow{n}: where", 1, 1, 1, {}) for n in range(50))
    now = standing(Progress(elapsed=1, nodes=nodes, models=()))
    lines = list(block(now, 80, 24))
    assert len(lines) <= 24
    assert any("more" in line for line in lines)


def test_plain_lines_come_every_few_seconds(capsys) -> None:  # type: ignore[no-untyped-def]
    plain = Plain()
    for second in range(12):
        plain(progress(second, second))
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" · ")[0] for line in told] == ["5.0 s", "10 s"]
