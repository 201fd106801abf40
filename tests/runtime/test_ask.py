"""``ask``: order, demand, draws, retries, and what the journal makes of a second run."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from dpipe.lang import graph, types
from dpipe.lang.graph import Const, Field, ListOf, One, RecordOf
from dpipe.runtime.errors import UsageError
from dpipe.runtime.journal import Journal, Recorded
from dpipe.runtime.models.protocol import RejectedRequest, Reply, Unavailable
from dpipe.runtime.values import Batch, Reject, Row
from tests.runtime.asking import Collector, FakeModel, Given, Lab, rows, said

ONE = Const(1)


def texts(out: Collector) -> list[Any]:
    return [item.values["out"] if isinstance(item, Row) else item.outcome for item in out.items]


def many(count: int) -> list[Row]:
    return rows(*(f"t{at}" for at in range(count)))


# -- order and demand ----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2, 7, 50])
def test_rows_leave_in_the_order_in_which_they_came(tmp_path: Path, concurrency: int) -> None:
    chance = Random(1)
    model = FakeModel("m", latency=lambda text: chance.random())
    lab = Lab(tmp_path, model, concurrency=concurrency)
    out = lab.run(many(60), batch=7)
    assert texts(out) == [f"m: t{at}" for at in range(60)]
    assert model.most_in_flight == min(concurrency, 60)


def test_nobody_queues_behind_a_slow_row(tmp_path: Path) -> None:
    model = FakeModel("m", latency=lambda text: 10.0 if text == "t0" else 1.0)
    out = Lab(tmp_path, model, concurrency=4).run(many(31))
    assert len(out.items) == 31
    assert max(out.at) <= 11.0  # the slow one begins within the first second


class Slow(Collector):
    """An outlet that takes ten seconds for whatever it is given."""

    async def put(self, batch: Batch) -> None:
        await trio.sleep(10)
        await super().put(batch)


@pytest.mark.parametrize("limited", [False, True])
def test_only_above_a_limit_rows_wait_until_finished_ones_are_handed_on(
    tmp_path: Path, limited: bool
) -> None:
    begun: list[float] = []

    def latency(text: str) -> float:
        begun.append(trio.current_time())
        return 1.0

    lab = Lab(tmp_path, FakeModel("m", latency=latency), concurrency=4)
    out = lab.run(many(20), out=Slow(), limited=limited)
    assert texts(out) == [f"m: t{at}" for at in range(20)]
    assert (begun[-1] - begun[0] > 10) is limited


def test_the_journal_is_looked_at_once_for_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, FakeModel("m"))
    vote = graph.Vote((One("m"),) * 3, None, ONE, None, None, "drop", Const(True))
    first = lab.run(many(50), vote)
    looked: list[int] = []
    recall_all = Journal.recall_all

    def counted(journal: Journal, keys: list[bytes]) -> dict[bytes, list[Recorded]]:
        looked.append(len(keys))
        return recall_all(journal, keys)

    monkeypatch.setattr(Journal, "recall_all", counted)
    assert texts(lab.run(many(50), vote, replay=True)) == texts(first)
    assert looked == [50, 50]  # a member of every row, then the next one; the third is not needed


def test_asking_stops_when_nobody_wants_more(tmp_path: Path) -> None:
    model = FakeModel("m")
    lab = Lab(tmp_path, model, concurrency=4)
    out = lab.run(many(100), out=Collector(10), limited=True)
    assert texts(out) == [f"m: t{at}" for at in range(10)]
    assert 10 <= model.calls <= 10 + 2 * 4
    assert lab.tally.entered == 100


def test_a_second_run_up_to_a_limit_asks_nothing(tmp_path: Path) -> None:
    model = FakeModel("m")
    lab = Lab(tmp_path, model, concurrency=4)
    first = lab.run(many(100), out=Collector(10), limited=True)
    asked = model.calls
    second = lab.run(many(100), out=Collector(10), limited=True)
    assert texts(first) == texts(second)
    assert model.calls == asked


def test_rejects_pass_by_in_their_place(tmp_path: Path) -> None:
    model = FakeModel("m")
    passing = Reject("before", "error", "bad", "t:0", {})
    given: list[Any] = rows("a", "b")
    given.insert(1, passing)
    out = Lab(tmp_path, model).run(given)
    assert texts(out) == ["m: a", "error", "m: b"]


# -- draws ---------------------------------------------------------------------------------------


def test_equal_rows_are_draws_of_their_own(tmp_path: Path) -> None:
    model = FakeModel("m")
    lab = Lab(tmp_path, model)
    lab.run(rows("a", "a", "b", "a"))
    assert model.calls == 4
    lab.run(rows("a", "a", "a", "b"))
    assert model.calls == 4


def test_at_temperature_0_equal_questions_are_one_even_at_the_same_time(tmp_path: Path) -> None:
    model = FakeModel("m")
    lab = Lab(tmp_path, model)
    lab.sampling["m"] = {"temperature": 0}
    out = lab.run(rows("a", "a", "b", "a"))
    assert texts(out) == ["m: a", "m: a", "m: b", "m: a"]
    assert model.calls == 2


def test_a_vote_of_one_model_three_times_is_three_voices(tmp_path: Path) -> None:
    model = FakeModel("m")
    m = One("m")
    vote = graph.Vote((m, m, m), None, ONE, None, None, "drop", Const(False))
    Lab(tmp_path, model).run(rows("a"), vote)
    assert model.calls == 3


# -- asking again --------------------------------------------------------------------------------


class Replies:
    """Gives its answers one after the other."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self._answers = iter(answers)

    def __call__(self, text: str) -> Reply | Exception:
        return next(self._answers)


def test_an_unreadable_answer_is_shown_with_its_fault_and_asked_again(tmp_path: Path) -> None:
    model = FakeModel("m", Replies(said("no idea"), said('{"value": 12}'), said('{"value": 7}')))
    lab = Lab(tmp_path, model)
    lab.result = types.Int(1, 10)
    assert texts(lab.run(rows("a"))) == [7]
    messages = model.requests[2].messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    assert messages[1].content == '{"value": 12}'
    assert "12" in str(messages[2].content)


def test_malformed_and_invalid_have_two_retries_each_and_no_more(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("no idea"))
    lab = Lab(tmp_path, model)
    lab.result = types.INT
    out = lab.run(rows("a"))
    assert model.calls == 3
    [reject] = out.items
    assert isinstance(reject, Reject)
    assert (reject.outcome, reject.reply) == ("malformed", "no idea")


def test_the_programs_retry_counts(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("no idea"))
    lab = Lab(tmp_path, model)
    lab.result = types.INT
    lab.run(rows("a"), retry=RecordOf((("malformed", Const(0)),)))
    assert model.calls == 1


def test_a_truncated_answer_is_asked_again_with_twice_the_tokens(tmp_path: Path) -> None:
    model = FakeModel("m", Replies(said("ha", finish="length"), said("half")))
    lab = Lab(tmp_path, model)
    lab.sampling["m"] = {"max_tokens": 100}
    assert texts(lab.run(rows("a"))) == ["half"]
    assert [request.options["max_tokens"] for request in model.requests] == [100, 200]


def test_twice_the_tokens_end_at_the_context(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("ha", finish="length"))
    lab = Lab(tmp_path, model)
    lab.sampling["m"] = {"max_tokens": 100}
    lab.context = 101
    assert texts(lab.run(rows("a"))) == ["truncated"]
    assert model.calls == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (said("", finish="filter"), "filtered"),
        (Reply("", refusal="no"), "refused"),
        (RejectedRequest("too long", status=400), "rejected_request"),
        (said("  "), "empty"),
    ],
)
def test_what_would_end_the_same_is_not_asked_again(
    tmp_path: Path, answer: Any, outcome: str
) -> None:
    model = FakeModel("m", lambda text: answer)
    lab = Lab(tmp_path, model)
    everything = RecordOf((("refused", Const(3)), ("filtered", Const(3))))
    assert texts(lab.run(rows("a"), retry=everything)) == [outcome]
    assert model.calls == 1


# -- the journal ---------------------------------------------------------------------------------


def test_a_run_after_one_that_ended_asks_again_only_where_rows_failed(tmp_path: Path) -> None:
    healthy = False

    def answer(text: str) -> Reply | Exception:
        return said(text) if healthy or text != "b" else RejectedRequest("no", status=400)

    model = FakeModel("m", answer)
    lab = Lab(tmp_path, model)
    assert texts(lab.run(rows("a", "b", "c"))) == ["a", "rejected_request", "c"]
    healthy = True
    assert texts(lab.run(rows("a", "b", "c"))) == ["a", "b", "c"]
    assert model.calls == 4


def test_a_run_that_continues_one_that_was_cut_off_counts_its_attempts(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("no idea"))
    lab = Lab(tmp_path, model)
    lab.result = types.INT
    lab.run(rows("a"), ends=False)
    assert texts(lab.run(rows("a"))) == ["malformed"]
    assert model.calls == 3
    lab.run(rows("a"))
    assert model.calls == 6


def test_an_endpoint_out_of_reach_is_asked_again_by_the_run_that_continues(tmp_path: Path) -> None:
    down = FakeModel("m", lambda text: Unavailable("down", kind="connection"))
    assert texts(Lab(tmp_path, down).run(rows("a"), ends=False)) == ["unavailable"]
    up = FakeModel("m")
    assert texts(Lab(tmp_path, up).run(rows("a"))) == ["m: a"]


def test_an_answer_that_ended_by_itself_serves_every_limit_that_holds_it(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said(text, tokens=50))
    lab = Lab(tmp_path, model)
    for limit, calls in [(100, 1), (50, 1), (49, 2), (1000, 2)]:
        lab.sampling["m"] = {"max_tokens": limit}
        lab.run(rows("a"))
        assert model.calls == calls


def test_a_truncated_answer_serves_no_other_limit(tmp_path: Path) -> None:
    long = FakeModel("m", lambda text: said("ha", finish="length", tokens=10))
    lab = Lab(tmp_path, long)
    never = RecordOf((("truncated", Const(0)),))
    lab.sampling["m"] = {"max_tokens": 10}
    lab.run(rows("a"), ends=False, retry=never)
    lab.run(rows("a"), ends=False, retry=never)
    assert long.calls == 1
    lab.sampling["m"] = {"max_tokens": 20}
    lab.run(rows("a"), ends=False, retry=never)
    assert long.calls == 2


def test_a_row_that_got_over_a_failure_takes_the_same_road_ever_after(tmp_path: Path) -> None:
    down = FakeModel("a", lambda text: Unavailable("down", kind="connection"))
    spare = FakeModel("b")
    both = graph.Fallback((One("a"), One("b")))
    first = Lab(tmp_path, down, spare).run(rows("x"), both)
    up = FakeModel("a")
    second = Lab(tmp_path, up, spare).run(rows("x"), both)
    assert texts(first) == texts(second) == ["b: x"]
    assert (up.calls, spare.calls) == (0, 1)


def test_a_replay_asks_nothing_and_gives_the_same(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("" if text == "b" else text))
    lab = Lab(tmp_path, model)
    first = lab.run(rows("a", "b"))
    calls = model.calls
    second = lab.run(rows("a", "b", "c"), replay=True)
    assert texts(second) == [*texts(first), "unavailable"]
    assert model.calls == calls


def test_who_waits_for_an_equal_question_asks_it_where_the_first_is_cancelled(
    tmp_path: Path,
) -> None:
    model = FakeModel("m")
    lab = Lab(tmp_path, model)
    lab.sampling["m"] = {"temperature": 0}
    second = Collector()

    async def main(journal: Journal) -> None:
        asker = lab.asker(journal)

        async def later() -> None:
            await trio.sleep(0.1)
            await lab.stage(asker, One("m")).run(Given([rows("a")]), second, {})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(later)
            with trio.move_on_after(0.5):
                await lab.stage(asker, One("m")).run(Given([rows("a")]), Collector(), {})

    with Journal.open(tmp_path / "j", program="t") as journal:
        journal.begin_run("t")
        trio.run(main, journal, clock=MockClock(autojump_threshold=0))
    assert texts(second) == ["m: a"]
    assert (second.at, model.calls) == ([1.5], 2)


# -- when, on_error, reasoning -------------------------------------------------------------------


def test_rows_for_which_when_is_false_pass_by(tmp_path: Path) -> None:
    model = FakeModel("m")
    asked = graph.Binary("==", Field("text"), Const("a"))
    out = Lab(tmp_path, model).run(rows("a", "b"), when=asked)
    assert texts(out) == ["m: a", None]
    assert model.calls == 1


def test_on_error_null_lets_the_row_go_on_and_asks_no_more(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said(""))
    lab = Lab(tmp_path, model)
    for _ in range(2):
        assert texts(lab.run(rows("a"), on_error=Const("null"))) == [None]
    assert model.calls == 1
    assert lab.tally.passed == 1


def test_on_error_fail_stops_the_run(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said(""))
    with pytest.raises(BaseExceptionGroup) as raised:
        Lab(tmp_path, model).run(rows("a"), on_error=Const("fail"))
    [error] = raised.value.exceptions
    assert isinstance(error, UsageError)
    assert str(error) == "t:1: f: ask: empty: the reply is empty"


def test_reasoning_stands_beside_the_answer(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: Reply("yes", reasoning="because"))
    out = Lab(tmp_path, model).run(rows("a"), reasoning=Const("why"))
    [row] = out.items
    assert isinstance(row, Row)
    assert (row.values["out"], row.values["why"]) == ("yes", "because")


# -- over ----------------------------------------------------------------------------------------

EACH = graph.PromptCall("p", (graph.Local("e"),), 0, "e")


def test_over_asks_once_per_element_and_gives_the_list(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said(text.upper()))
    lab = Lab(tmp_path, model)
    parts = graph.Call("split_text", (Field("text"), Const(",")))
    for _ in range(2):
        assert texts(lab.run(rows("a,b,a"), prompt=EACH, over=parts)) == [["A", "B", "A"]]
        assert model.calls == 3


def test_a_row_of_no_elements_has_the_empty_list(tmp_path: Path) -> None:
    out = Lab(tmp_path, FakeModel("m")).run(rows("a"), prompt=EACH, over=ListOf(()))
    assert texts(out) == [[]]


def test_without_one_of_its_answers_a_row_fails(tmp_path: Path) -> None:
    model = FakeModel("m", lambda text: said("" if text == "b" else text))
    parts = graph.Call("split_text", (Field("text"), Const(",")))
    assert texts(Lab(tmp_path, model).run(rows("a,b"), prompt=EACH, over=parts)) == ["empty"]


# -- nothing deadlocks ---------------------------------------------------------------------------

leaves = st.sampled_from([One("a"), One("b"), One("c"), One("d")])


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.lists(inner, min_size=1, max_size=3).map(tuple)
    never = graph.Lambda("v", Const(False))
    return st.one_of(
        members.map(graph.Fallback),
        st.builds(
            graph.Cascade,
            members,
            st.sampled_from([None, never]),
            st.sampled_from(["keep", "drop"]),
        ),
        st.builds(
            lambda m, n, tie, lazy: graph.Vote(m, None, Const(n), None, None, tie, Const(lazy)),
            members,
            st.integers(1, 2),
            st.one_of(st.sampled_from(["null", "drop"]), inner),
            st.booleans(),
        ),
    )


topologies = st.recursive(leaves, _nested, max_leaves=6).flatmap(
    lambda inner: st.sampled_from(
        [
            inner,
            graph.All((inner, inner), ONE, ONE),
            graph.Poll((inner, inner), None, ONE, ONE, counted=True),
        ]
    )
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(topologies, st.integers(1, 2), st.booleans())
def test_no_nesting_deadlocks_at_any_concurrency(
    tmp_path_factory: pytest.TempPathFactory, using: Any, concurrency: int, greedy: bool
) -> None:
    models = [
        FakeModel("a"),
        FakeModel("b", lambda text: said("")),
        FakeModel("c", lambda text: RejectedRequest("no", status=400)),
        FakeModel("d", lambda text: Unavailable("busy", kind="server")),
    ]
    lab = Lab(tmp_path_factory.mktemp("j"), *models, concurrency=concurrency)
    lab.sampling = {name: {"temperature": 0} for name in "abcd"} if greedy else {}
    out = lab.run(rows("t", "u", "t", "t"), using)
    assert len(out.items) + lab.tally.reasons["outvoted"] == 4
    assert max(model.most_in_flight for model in models) <= concurrency


def test_weights_and_lists_are_constants_of_the_program(tmp_path: Path) -> None:
    models = [FakeModel("a", lambda text: said("x")), FakeModel("b", lambda text: said("y"))]
    vote = graph.Vote(
        (One("a"), One("b")), None, ONE, None, ListOf((ONE, Const(3))), "drop", Const(False)
    )
    assert texts(Lab(tmp_path, *models).run(rows("q"), vote)) == ["y"]
