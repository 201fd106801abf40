"""Who answers: the counting rules, over scripted voices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import graph
from dpipe.lang.graph import Attr, Const, Field, Lambda, ListOf, Local, One
from dpipe.runtime.answerers import Failed, OutVoted, Result, Seat, Value, bind
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.values import Values

A, B, C, D = (One(name) for name in "abcd")
ONCE = Const(1)
LABEL = Lambda("v", Attr(Local("v"), "label"))
BUSY = Failed("unavailable", "busy")
BROKEN = Failed("malformed", "no JSON", "oops")

Script = Mapping[str, Sequence[Any]]


class Binder:
    def __init__(self) -> None:
        expressions = Expressions({}, {}, {})
        self.constant = expressions.constant
        self.judge = expressions.function

    def sampling(self, model: One) -> tuple[str, Mapping[str, Any]]:
        return model.model, {name: self.constant(value) for name, value in model.options}


class Scripted:
    """Voices that say what a script has for their seat and turn."""

    def __init__(self, script: Script, row: Values | None = None) -> None:
        self.script = script
        self.row = row or {}
        self.asked: list[tuple[str, int, int]] = []

    async def ask(self, seat: Seat, turn: int) -> Result:
        self.asked.append((seat.model, seat.ordinal, turn))
        answer = self.script[seat.model][seat.ordinal + turn]
        return answer if isinstance(answer, Failed) else Value(answer, seat.model)

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        return [await job() for job in jobs]


def ask(answerer: graph.Answerer, row: Values | None = None, **script: Sequence[Any]) -> Result:
    return asked(answerer, Scripted(script, row))


def asked(answerer: graph.Answerer, voices: Scripted) -> Result:
    topology, _ = bind(answerer, Binder())

    async def main() -> Result:
        return await topology.answer(voices, 0)

    return trio.run(main)


def vote(*members: graph.Answerer, on: Lambda | None = None, **given: Any) -> graph.Vote:
    settings = {"n": ONCE, "quorum": None, "weights": None, "tie": "drop", "lazy": Const(False)}
    return graph.Vote(members, on, **{**settings, **given})


def poll(*members: graph.Answerer, on: Lambda | None = None, least: int = 1) -> graph.Poll:
    return graph.Poll(members, on, ONCE, Const(least), counted=True)


# -- all -----------------------------------------------------------------------------------------


def test_all_gives_each_members_answers_in_the_order_of_the_list() -> None:
    result = ask(graph.All((A, B), Const(2), ONCE), a=[1, 2], b=[3, 4])
    assert result == Value([1, 2, 3, 4], "all")


def test_all_leaves_out_what_could_not_be_had() -> None:
    assert ask(graph.All((A, B), ONCE, ONCE), a=[BROKEN], b=[3]) == Value([3], "all")


def test_all_fails_below_its_least_with_the_first_failure() -> None:
    result = ask(graph.All((A, B, C), ONCE, Const(2)), a=[BROKEN], b=[3], c=[BUSY])
    assert result == Failed("malformed", "1 of 3 answers, 2 needed: no JSON", "oops")


# -- poll ----------------------------------------------------------------------------------------


def test_a_poll_tells_winner_agreement_and_every_vote() -> None:
    result = ask(poll(A, B, C), a=["x"], b=["y"], c=["x"])
    assert isinstance(result, Value)
    assert result.value == {
        "winner": "x",
        "agreement": pytest.approx(2 / 3),
        "votes": [
            {"model": "a", "answer": "x"},
            {"model": "b", "answer": "y"},
            {"model": "c", "answer": "x"},
        ],
    }


def test_a_polls_winner_is_the_answer_of_the_first_that_agree() -> None:
    one, two = {"label": 1, "why": "a"}, {"label": 1, "why": "b"}
    result = ask(poll(A, B, on=LABEL), a=[one], b=[two])
    assert isinstance(result, Value)
    assert result.value["winner"] == one


def test_a_tied_poll_has_no_winner() -> None:
    result = ask(poll(A, B), a=["x"], b=["y"])
    assert isinstance(result, Value)
    assert (result.value["winner"], result.value["agreement"]) == (None, 0.5)


def test_agreement_is_over_the_answers_that_could_be_read() -> None:
    result = ask(poll(A, B, C), a=["x"], b=[BROKEN], c=["x"])
    assert isinstance(result, Value)
    assert (result.value["winner"], result.value["agreement"]) == ("x", 1.0)


def test_an_uncounted_poll_gives_its_votes_alone() -> None:
    result = ask(graph.Poll((A,), None, ONCE, ONCE, counted=False), a=[{"s": 1}])
    assert result == Value({"votes": [{"model": "a", "answer": {"s": 1}}]}, "poll")


# -- vote ----------------------------------------------------------------------------------------


def test_a_majority_is_of_all_members_not_of_those_that_answered() -> None:
    assert ask(vote(A, B, C, D), a=["x"], b=["x"], c=[BUSY], d=[BUSY]) == OutVoted()
    assert ask(vote(A, B, C), a=["x"], b=["x"], c=[BUSY]) == Value("x", "a")


def test_half_is_no_majority() -> None:
    assert ask(vote(A, B), a=["x"], b=["y"]) == OutVoted()


def test_a_quorum_needs_that_many_and_no_rival() -> None:
    two = Const(2)
    assert ask(vote(A, B, C, D, quorum=two), a="x", b="x", c="y", d="z") == Value("x", "a")
    assert ask(vote(A, B, C, D, quorum=two), a="x", b="x", c="y", d="y") == OutVoted()


def test_weights_add_exactly() -> None:
    weights = ListOf((Const(0.1), Const(0.2), Const(0.3)))
    tied = vote(A, B, C, weights=weights, quorum=Const(0.3))
    assert ask(tied, a="x", b="x", c="y") == OutVoted()
    heavy = vote(A, B, C, weights=ListOf((ONCE, ONCE, Const(3))))
    assert ask(heavy, a="x", b="x", c="y") == Value("y", "c")


def test_n_answers_of_a_member_are_n_votes() -> None:
    assert ask(vote(A, B, n=Const(2)), a="xx", b="xy") == Value("x", "a")


def test_numbers_agree_by_value_and_a_bool_is_no_number() -> None:
    assert ask(vote(A, B), a=[1], b=[1.0]) == Value(1, "a")
    assert ask(vote(A, B), a=[1], b=[True]) == OutVoted()


def test_on_sees_the_answer_and_the_row() -> None:
    right = Lambda("v", graph.Binary("==", Local("v"), Field("gold")))
    result = ask(vote(A, B, C, on=right), {"gold": 7}, a=[3], b=[4], c=[7])
    assert result == Value(3, "a")


def test_a_tie_may_be_broken_by_another_answerer() -> None:
    result = ask(vote(A, B, tie=C), a="x", b="y", c="z")
    assert result == Value("z", "c")


def test_a_tie_may_be_null() -> None:
    assert ask(vote(A, B, tie="null"), a="x", b="y") == OutVoted(as_null=True)


def test_a_row_of_which_nobody_could_say_anything_failed_and_was_not_voted_out() -> None:
    message = "0 of 2 answers, 1 needed: no JSON"
    assert ask(vote(A, B), a=[BROKEN], b=[BUSY]) == Failed("malformed", message, "oops")
    assert ask(vote(A, B, tie=C), a=[BROKEN], b=[BUSY], c="z") == Value("z", "c")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quorum": Const(4)}, "can never be won"),
        ({"weights": ListOf((ONCE,))}, "1 numbers for 3 members"),
        ({"weights": ListOf((ONCE, ONCE, Const(-1)))}, "below 0"),
    ],
)
def test_a_vote_without_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bind(vote(A, B, C, **given), Binder())


ballots = st.lists(
    st.one_of(st.sampled_from("xyz"), st.sampled_from([BUSY, BROKEN])), min_size=1, max_size=6
)


@given(ballots, st.one_of(st.none(), st.integers(1, 4)), st.data())
def test_a_lazy_vote_ends_like_a_full_one_with_no_more_calls(
    said: list[Any], quorum: int | None, data: st.DataObject
) -> None:
    members = tuple(One(f"m{at}") for at in range(len(said)))
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(said), max_size=len(said)))
    wanted = None if quorum is None else Const(min(quorum, sum(weights)))
    settings: dict[str, Any] = {
        "weights": ListOf(tuple(map(Const, weights))),
        "quorum": wanted,
        "tie": data.draw(st.sampled_from(["drop", "null"])),
    }
    script = {f"m{at}": [answer] for at, answer in enumerate(said)}
    eager, lazy = Scripted(script), Scripted(script)
    full = asked(vote(*members, **settings), eager)
    short = asked(vote(*members, **settings, lazy=Const(True)), lazy)
    assert short == full
    assert lazy.asked == eager.asked[: len(lazy.asked)]


def test_a_lazy_vote_asks_no_more_members_than_decide() -> None:
    voices = Scripted({name: ["x"] for name in "abcde"})
    asked(vote(*map(One, "abcde"), lazy=Const(True)), voices)
    assert [name for name, _, _ in voices.asked] == ["a", "b", "c"]


def test_a_lazy_vote_stops_where_nobody_can_win_any_more() -> None:
    voices = Scripted({"a": ["x"], "b": ["y"], "c": ["x"], "d": ["x"]})
    result = asked(vote(A, B, C, D, quorum=Const(4), lazy=Const(True)), voices)
    assert result == OutVoted()
    assert [name for name, _, _ in voices.asked] == ["a", "b"]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_majority_is_of_all_answers_that_n_asks_for(lazy: bool) -> None:
    twice = vote(A, B, n=Const(2), lazy=Const(lazy))
    assert ask(twice, a="xx", b="yz") == OutVoted()
    voices = Scripted({"a": "xx", "b": "xy"})
    assert asked(twice, voices) == Value("x", "a")
    assert len(voices.asked) == (3 if lazy else 4)


# -- cascade, fallback ---------------------------------------------------------------------------

SURE = Lambda("v", graph.Binary(">=", Local("v"), Const(8)))


def cascade(*members: graph.Answerer, accept: Lambda | None = SURE, last: str = "keep") -> Any:
    return graph.Cascade(members, accept, last)


def test_a_cascade_asks_no_further_than_the_first_accepted_answer() -> None:
    voices = Scripted({"a": [5], "b": [9], "c": [10]})
    assert asked(cascade(A, B, C), voices) == Value(9, "b")
    assert [name for name, _, _ in voices.asked] == ["a", "b"]


def test_a_cascade_goes_on_where_an_answer_cannot_be_had() -> None:
    assert ask(cascade(A, B), a=[BROKEN], b=[9]) == Value(9, "b")
    assert ask(cascade(A, B, accept=None), a=[BUSY], b=[1]) == Value(1, "b")


def test_the_last_answer_of_a_cascade_is_kept_or_dropped() -> None:
    assert ask(cascade(A, B), a=[5], b=[6]) == Value(6, "b")
    assert ask(cascade(A, B, last="drop"), a=[5], b=[6]) == OutVoted()


def test_where_the_last_member_fails_the_row_fails_with_its_outcome() -> None:
    assert ask(cascade(A, B), a=[5], b=[BROKEN]) == BROKEN


def test_a_vote_without_winner_is_not_accepted() -> None:
    result = ask(cascade(vote(A, B), C, accept=None), a="x", b="y", c="z")
    assert result == Value("z", "c")


def test_a_fallback_goes_on_only_where_the_endpoint_fails() -> None:
    both = graph.Fallback((A, B))
    assert ask(both, a=[BUSY], b=["x"]) == Value("x", "b")
    assert ask(both, a=[BROKEN], b=["x"]) == BROKEN
    assert ask(both, a=[BUSY], b=[BUSY]) == BUSY


def test_a_lambda_without_value_fails_the_row() -> None:
    broken = Lambda("v", graph.Binary("/", Const(1), Local("v")))
    assert ask(vote(A, B, on=broken), a=[0], b=[1]) == Failed("error", "division by zero")
    assert ask(cascade(A, B, accept=broken), a=[0], b=[1]) == Failed("error", "division by zero")


# -- seats ---------------------------------------------------------------------------------------


def test_equal_members_are_told_apart_by_their_order_wherever_they_stand() -> None:
    hot = One("a", (("temperature", Const(1.2)),))
    _, seats = bind(cascade(vote(A, A, hot), A, hot), Binder())
    assert [(seat.options.get("temperature"), seat.ordinal) for seat in seats] == [
        (None, 0),
        (None, 1),
        (1.2, 0),
        (None, 2),
        (1.2, 1),
    ]


def test_turns_of_nested_answerers_are_all_different() -> None:
    voices = Scripted({"a": list(range(6))})
    asked(graph.All((vote(A, n=Const(3)),), Const(2), ONCE), voices)
    assert sorted(turn for _, _, turn in voices.asked) == [0, 1, 2, 3, 4, 5]
