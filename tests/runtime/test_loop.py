"""Loops: who enters which round, who leaves when, and in what order all come out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang.graph import Binary, Const, Field, LeaveNode, LoopNode, RoundNode, label_of
from dpipe.runtime.errors import UsageError
from dpipe.runtime.executor import Feed, Part
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.result import RunResult
from dpipe.runtime.stages.limit import Limit
from dpipe.runtime.stages.loop import Leave, Round
from dpipe.runtime.unroll import unroll
from tests.runtime.programs import Folder
from tests.runtime.test_executor import (
    CONTEXT,
    PLACE,
    ROW,
    Kept,
    Numbers,
    Slow,
    program,
    run,
    sink,
    source,
    stage,
)

HEAD = """dpipe 1

source xs: { n: int } = jsonl("in.jsonl")
"""
ASKS = (
    HEAD
    + """
model gen = openai("m", url: "simulated:", concurrency: 8)

prompt p(n: int) -> str { user: "say {n}" }

pipe asked(rows: flow[{ n: int, said: str }]) {
  rows | ask(p, using: gen, as: .again) | set(said: .said + "|" + .again) | drop(.again)
}

flow start = xs | set(said: "")
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"n": n} for n in range(6)])
    return made


def looped(body: str, loop: str, more: str = "") -> str:
    """A program whose pipe ``p`` goes round."""
    return (
        f"{HEAD}{more}\npipe p(rows: flow[{{ n: int }}]) {{\n  {body}\n}}\n"
        f'flow out = xs | loop(p, {loop})\nsink o = out | jsonl("out/o.jsonl")\n'
    )


def came_out(folder: Folder) -> list[tuple[int, int]]:
    """Number and rounds of each row."""
    return [(row["n"], row["round"]) for row in folder.read("out/o.jsonl")]


def ledger(result: RunResult) -> dict[str, tuple[int, int, dict[str, int]]]:
    return {node.label: (node.entered, node.left, dict(node.reasons)) for node in result.nodes}


# -- who leaves when -----------------------------------------------------------------------------


def test_rows_go_round_as_often_as_is_said(folder: Folder) -> None:
    folder.run(looped("rows | set(n: .n + 10)", "times: 3"))
    assert came_out(folder) == [(n + 30, 3) for n in range(6)]


def test_rows_leave_when_until_holds_and_keep_their_place(folder: Folder) -> None:
    result = folder.run(looped("rows | set(n: .n + 1)", "times: 3, until: .n >= 5"))
    assert came_out(folder) == [(3, 3), (4, 3), (5, 3), (5, 2), (5, 1), (5, 0)]
    assert ledger(result)["out: loop (round 1)"] == (6, 5, {"done": 1})
    assert ledger(result)["out.p: set (round 3)"] == (3, 3, {})
    assert ledger(result)["out: loop"] == (6, 6, {})


def test_all_that_entered_a_round_may_be_kept_too_before_what_became_of_it(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": 0}, {"n": 7}])
    folder.run(looped("rows | set(n: .n + 1)", 'times: 2, until: .n > 7, keep: "all"'))
    assert came_out(folder) == [(0, 0), (1, 1), (2, 2), (7, 0), (8, 1)]


def test_no_round_changes_nothing_but_the_count(folder: Folder) -> None:
    folder.run(looped("rows | where(false)", "times: 0"))
    assert came_out(folder) == [(n, 0) for n in range(6)]


def test_until_sees_the_round(folder: Folder) -> None:
    folder.run(looped("rows | set(n: .n + 1)", "times: 5, until: .round == 2"))
    assert came_out(folder) == [(n + 2, 2) for n in range(6)]


def test_those_that_left_come_first_where_rows_are_ordered_anew(folder: Folder) -> None:
    folder.run(looped("rows | sort(.n, desc: true)", "times: 2, until: .n == 3"))
    assert came_out(folder) == [(3, 0), (5, 2), (4, 2), (2, 2), (1, 2), (0, 2)]


def test_stages_see_the_rows_of_one_round(folder: Folder) -> None:
    """The third round drops what is equal in it, not what left before."""
    folder.rows("in.jsonl", [{"n": 1}, {"n": 2}, {"n": 4}, {"n": 5}])
    body = 'rows | set(n: .n / 2) | set(n: int(.n)) | dedup("{.n}", by: exact())'
    result = folder.run(looped(body, 'times: 2, keep: "all"'))
    assert came_out(folder) == [
        (1, 0),
        (0, 1),
        (0, 2),
        (2, 0),
        (1, 1),
        (4, 0),
        (2, 1),
        (1, 2),
        (5, 0),
    ]
    assert ledger(result)["out.p: dedup (round 1)"] == (4, 3, {"duplicate": 1})


def test_a_limit_in_the_body_is_for_rows_that_stay(folder: Folder) -> None:
    """A full limit takes no row that has left a round before."""
    folder.run(looped("rows | set(n: .n + 1) | limit(2)", "times: 2, until: .n > 3"))
    assert came_out(folder) == [(2, 2), (3, 2), (4, 0), (5, 0)]
    folder.run(looped("rows | limit(1)", 'times: 2, keep: "all"'))
    assert came_out(folder) == [(0, 0), (0, 1), (0, 2), *((n, 0) for n in range(1, 6))]


def test_branches_of_the_body_meet_again(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": 1}, {"n": 2}])
    body = "flow up = rows | set(n: .n + 10)\n  concat(rows, up)"
    folder.run(looped(body, "times: 2, until: .n > 10"))
    assert came_out(folder) == [(1, 2), (2, 2), (11, 2), (12, 2), (11, 1), (12, 1)]


def test_those_that_left_pass_by_a_side_flow(folder: Folder) -> None:
    """Rows that are only looked at are no way out of a round."""
    body = "flow seen = rows | set(m: .n) | keep(.n, .m)\n  rows | join(seen, on: .n) | drop(.m)"
    folder.run(looped(body, "times: 2, until: .n in [1, 4]"))
    assert came_out(folder) == [(0, 2), (1, 0), (2, 2), (3, 2), (4, 0), (5, 2)]


def test_a_pipe_that_gives_back_its_rows_as_they_are(folder: Folder) -> None:
    folder.run(looped("rows", "times: 2, until: .n == 0"))
    assert came_out(folder) == [(0, 0), *((n, 2) for n in range(1, 6))]


def test_what_does_not_hang_on_the_rows_is_computed_once(folder: Folder) -> None:
    folder.rows("more.jsonl", [{"n": n, "m": 1} for n in range(20)])
    body = "rows | join(known, on: .n) | set(n: .n + .m) | drop(.m)"
    more = (
        'source more: { n: int, m: int } = jsonl("more.jsonl")\nflow known = more | where(.n < 7)'
    )
    result = folder.run(looped(body, "times: 3", more))
    assert came_out(folder) == [(n + 3, 3) for n in range(5)]
    assert [label for label in ledger(result) if label.startswith("known")] == ["known: where"]


def test_demand_ends_a_loop_from_behind(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": n} for n in range(2000)])
    text = looped("rows | set(n: .n + 1)", "times: 2, until: .n == 1").replace(
        "sink o = out", "sink o = out | limit(3)"
    )
    result = folder.run(text)
    assert came_out(folder) == [(1, 1), (1, 0), (4, 2)]
    assert ledger(result)["xs"][0] < 2000


def test_a_full_limit_in_a_round_ends_what_is_paid_for_it(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": n} for n in range(2000)])
    text = asks("times: 2, until: .n % 100 == 99").replace(
        "| drop(.again)", "| drop(.again) | limit(20)"
    )
    result = folder.run(text)
    assert came_out(folder) == [
        *((n, 2) for n in range(20)),
        *((n, 0) for n in range(99, 2000, 100)),
    ]
    assert result.calls < 300


def test_a_full_limit_in_a_round_keeps_nobody_from_leaving_before_it() -> None:
    """The second round is full after two rows, while others are on their way to leave before it."""
    until = Binary(">=", Field("n"), Const(2))
    nodes = program(
        source(),
        RoundNode("f", 0, until, "last", ROW, PLACE, (0,)),
        stage(1),
        stage(2, "limit"),
        RoundNode("f", 3, until, "last", ROW, PLACE, (1,)),
        stage(4),
        stage(5, "limit"),
        LeaveNode("f", 6, 2, ROW, PLACE),
        sink(7),
    )
    over_row, out = Expressions({}, {}, {}).over_row(until), Kept()
    parts: dict[int, Part] = {
        0: Feed(Numbers(10, size=1)),
        1: Round("f: loop", (0,), None, keep_all=False),
        2: Slow(),
        3: Limit(CONTEXT, 100),
        4: Round("f: loop", (1,), lambda row: over_row(row.values), keep_all=False),
        5: Slow(),
        6: Limit(CONTEXT, 2),
        7: Leave(1, 2),
        8: out,
    }
    run(nodes, parts)
    assert out.rows == list(range(10))


def test_many_rounds_are_no_deep_stack(folder: Folder) -> None:
    folder.run(looped("rows | set(n: .n + 1)", "times: 1000, until: .n == 900"))
    assert came_out(folder) == [(900, 900 - n) for n in range(6)]


# -- loops in loops ------------------------------------------------------------------------------


def test_loops_nest(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": 0}, {"n": 5}, {"n": 9}])
    inner = "pipe inner(rows: flow[{ n: int }]) { rows | set(n: .n + 1) }"
    body = "rows | loop(inner, times: 2, until: .n % 5 == 0) | set(n: .n + 1)"
    result = folder.run(looped(body, "times: 2, until: .n > 9", inner))
    # 0 leaves the inner loop at once: 1, then 2, 3: 4; 5 likewise: 6, then 7, 8: 9
    assert came_out(folder) == [(4, 2), (9, 2), (11, 1)]
    labels = [label for label in ledger(result) if label.endswith(")")]
    assert "out.p.inner: set (round 2.1)" in labels
    assert "out.p: loop (round 1.2)" in labels
    assert "out.p: loop (round 2)" in labels


def test_a_loop_in_a_loop_that_hangs_on_nothing_of_it_is_run_once(folder: Folder) -> None:
    more = (
        "pipe one(rows: flow[{ n: int }]) { rows | set(n: .n + 1) }\n"
        "flow grown = xs | loop(one, times: 2) | set(m: .round) | keep(.n, .m)"
    )
    body = "rows | join(grown, on: .n) | drop(.m)"
    result = folder.run(looped(body, "times: 3", more))
    assert came_out(folder) == [(n, 3) for n in range(2, 6)]
    assert sum("grown" in label and "set" in label for label in ledger(result)) == 3


# -- draws ---------------------------------------------------------------------------------------


def asks(loop: str, **options: str) -> str:
    text = ASKS.replace("concurrency: 8", options.get("model", "concurrency: 8"))
    return text + (f'flow out = start | loop(asked, {loop})\nsink o = out | jsonl("out/o.jsonl")\n')


def test_each_round_draws_anew_and_a_second_run_asks_nothing(folder: Folder) -> None:
    first = folder.run(asks("times: 3"))
    said = (folder.root / "out/o.jsonl").read_bytes()
    assert first.calls == 18
    again = folder.run(asks("times: 3"))
    assert (again.calls, again.recalled) == (0, 18)
    assert (folder.root / "out/o.jsonl").read_bytes() == said
    assert any(len(set(row["said"].split("|"))) == 4 for row in folder.read("out/o.jsonl"))


def test_more_rounds_ask_for_the_new_ones_alone(folder: Folder) -> None:
    folder.run(asks("times: 2"))
    assert folder.run(asks("times: 4")).calls == 12


def test_a_failed_row_leaves_the_loop_to_the_rejects_and_says_in_which_round(
    folder: Folder,
) -> None:
    result = folder.run(
        looped("rows | set(n: .n - 1 / (.n - 2))", "times: 2").replace("n: int }]", "n: float }]")
    )
    rejects = folder.read("out/o.rejects.jsonl")
    assert [reject["stage"] for reject in rejects] == [
        "out.p: set (round 2)",
        "out.p: set (round 1)",
        "out.p: set (round 2)",
    ]
    assert ledger(result)["out.p: set (round 1)"] == (6, 5, {"failed:error": 1})
    assert result.exit_code == 1


def test_equal_questions_without_chance_are_asked_once(folder: Folder) -> None:
    assert folder.run(asks("times: 3", model="temperature: 0")).calls == 6


def test_the_order_and_the_answers_do_not_hang_on_concurrency(folder: Folder) -> None:
    loop = 'times: 3, until: len(.said) % 3 == 1, keep: "all"'
    folder.run(asks(loop, model="concurrency: 1"))
    one = (folder.root / "out/o.jsonl").read_bytes()
    for path in (folder.root / ".dpipe").glob("journal*"):
        path.unlink()
    assert folder.run(asks(loop, model="concurrency: 64")).calls > 0
    assert (folder.root / "out/o.jsonl").read_bytes() == one


def test_rounds_of_loops_in_loops_draw_anew(folder: Folder) -> None:
    text = ASKS + (
        "pipe twice(rows: flow[{ n: int, said: str }]) { rows | loop(asked, times: 2) }\n"
        'flow out = start | loop(twice, times: 2)\nsink o = out | jsonl("out/o.jsonl")\n'
    )
    assert folder.run(text).calls == 24
    assert folder.run(text).calls == 0


def test_chance_is_new_in_each_round(folder: Folder) -> None:
    body = "rows | set(n: .n * 10 + pick([1, 2, 3, 4, 5, 6, 7, 8, 9]))"
    folder.run(looped(body, "times: 3"))
    digits = [set(f"{n % 1000:03}") for n, _ in came_out(folder)]
    assert any(len(drawn) > 1 for drawn in digits)
    first = came_out(folder)
    folder.run(looped(body, "times: 3"))
    assert came_out(folder) == first


# -- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "shown"), [("0 - 1", "not -1"), ("1_000 + 1", "not 1001"), ("1 % 0", "no value")]
)
def test_a_number_of_rounds_that_cannot_be_is_told(folder: Folder, times: str, shown: str) -> None:
    with pytest.raises(UsageError, match=shown):
        folder.run(looped("rows", f"times: {times}"))


def test_python_goes_round_with_its_rows(folder: Folder) -> None:
    folder.write(
        "more.py",
        "async def doubled(rows, by):\n    async for row in rows:\n"
        '        if row["n"] != 3:\n            yield {**row, "n": by * row["n"]}\n',
    )
    pipe = 'extern pipe q(rows: flow[{ n: int }], by: int) = python("more.py:doubled")'
    program = (
        f"{HEAD}\n{pipe}\n"
        'sink o = xs | loop(q(by: 2), times: 3, until: .n > 9) | jsonl("out/o.jsonl")\n'
    )
    folder.run(program, allow_python=True)
    assert came_out(folder) == [(0, 3), (8, 3), (16, 3), (16, 2), (10, 1)]


# -- unrolling -----------------------------------------------------------------------------------


def test_a_program_without_loops_is_left_as_it_is(folder: Folder) -> None:
    graph = folder.compiled(HEAD + 'sink o = xs | jsonl("out/o.jsonl")\n')
    assert unroll(graph, lambda expr: 1) is graph


def test_an_unrolled_program_reads_what_comes_before(folder: Folder) -> None:
    body = "flow up = rows | set(n: .n + 10)\n  concat(rows, up)"
    graph = folder.compiled(looped(body, "times: 2"))
    unrolled = unroll(graph, lambda expr: 2)
    assert not any(isinstance(node, LoopNode) for node in unrolled.nodes)
    assert [label_of(node) for node in unrolled.nodes] == [
        "xs",
        "out: loop (round 1)",
        "out.p.up: set (round 1)",
        "out.p: concat (round 1)",
        "out: loop (round 2)",
        "out.p.up: set (round 2)",
        "out.p: concat (round 2)",
        "out: loop",
        "o",
    ]


# -- against a plain model -----------------------------------------------------------------------

Item = tuple[str, int, int]
"""A row, a leaver or a reject, with its number and round."""

Stage = Callable[[list[Item]], list[Item]]


def add(n: int) -> Stage:
    return lambda items: [(k, v + n if k == "row" else v, r) for k, v, r in items]


def keep_odd(items: list[Item]) -> list[Item]:
    return [item for item in items if item[0] != "row" or item[1] % 2]


def fail_at(n: int) -> Stage:
    return lambda items: [
        ("reject", v, r) if k == "row" and v == n else (k, v, r) for k, v, r in items
    ]


def first(n: int) -> Stage:
    def stage(items: list[Item]) -> list[Item]:
        out, left = [], n
        for item in items:
            if item[0] == "left" or left:
                left -= item[0] == "row"
                out.append(item)
        return out

    return stage


def downwards(items: list[Item]) -> list[Item]:
    rows = [item for item in items if item[0] == "row"]
    passing = [item for item in items if item[0] != "row"]
    return passing + sorted(rows, key=lambda item: -item[1])


STAGES: dict[str, Stage] = {
    "set(n: .n + 1)": add(1),
    "set(n: .n + 3)": add(3),
    "where(.n % 2 == 1)": keep_odd,
    'set(n: if .n == 4 then int("x") else .n)': fail_at(4),
    "limit(3)": first(3),
    "sort(.n, desc: true)": downwards,
}


def modelled(numbers: list[int], body: list[str], times: int, until: int, keep: str) -> list[Item]:
    items: list[Item] = [("row", n, 0) for n in numbers]
    for number in range(times):
        entered: list[Item] = []
        for kind, n, at in items:
            if kind != "row":
                entered.append((kind, n, at))
            elif n >= until:
                entered.append(("left", n, number))
            else:
                copy: list[Item] = [("left", n, number)] if keep == "all" else []
                entered += [*copy, ("row", n, number)]
        items = entered
        for name in body:
            items = STAGES[name](items)
    return [(kind, n, times if kind == "row" else at) for kind, n, at in items]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.lists(st.sampled_from(sorted(STAGES)), min_size=1, max_size=4),
    st.integers(0, 3),
    st.integers(3, 12),
    st.sampled_from(["last", "all"]),
)
def test_rows_come_out_as_the_plain_model_has_it(
    numbers: list[int], body: list[str], times: int, until: int, keep: str
) -> None:
    expected = modelled(numbers, body, times, until, keep)
    with TemporaryDirectory() as name:
        folder = Folder(Path(name))
        folder.rows("in.jsonl", [{"n": n} for n in numbers])
        loop = f'times: {times}, until: .n >= {until}, keep: "{keep}"'
        result = folder.run(looped(" | ".join(["rows", *body]), loop))
        assert came_out(folder) == [(n, at) for kind, n, at in expected if kind != "reject"]
        rejects: list[Any] = []
        if (folder.root / "out/o.rejects.jsonl").exists():
            rejects = folder.read("out/o.rejects.jsonl")
        found = ledger(result)
    assert len(rejects) == sum(kind == "reject" for kind, _, _ in expected)
    assert found["out: loop"][0] == sum(kind != "reject" for kind, _, _ in expected)
    for entered, left, reasons in found.values():
        assert entered == left + sum(reasons.values())
