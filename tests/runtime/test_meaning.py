"""Votes by meaning: groups of texts that lie near each other, and the one in their middle."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import graph
from dpipe.lang.graph import Attr, Const, Lambda, ListOf, Local, Method, One
from dpipe.runtime.answerers import Failed, OutVoted, Result, Value
from tests.runtime.programs import Folder
from tests.runtime.test_answerers import BUSY, Scripted, asked
from tests.runtime.test_answerers import vote as by_equality

A, B, C, D, E = (One(name) for name in "abcde")
NAMES = "abcde"
VECTORS = One("vectors")
DOWN = Failed("unavailable", "down")


class Angles(Scripted):
    """Answers are texts of angles in degrees; "down" has no vector."""

    calls = 0

    async def vectors(self, model: One, texts: Sequence[str]) -> list[list[float] | Failed]:
        assert model == VECTORS
        assert len(set(texts)) == len(texts)
        self.calls += 1
        return [DOWN if text == "down" else _vector(float(text)) for text in texts]


def _vector(degrees: float) -> list[float]:
    return [cos(degrees * pi / 180), sin(degrees * pi / 180)]


def near(degrees: float) -> Const:
    return Const(cos(degrees * pi / 180))


def vote(count: int, within: float = 10.5, **args: Any) -> graph.VoteNear:
    members = tuple(map(One, NAMES[:count]))
    made = by_equality(*members, **args)
    by = Method("embedding", {"model": VECTORS, "threshold": near(within)})
    return graph.VoteNear(
        made.members, made.on, made.n, made.quorum, made.weights, made.tie, made.lazy, by
    )


def said(using: graph.Answerer, *angles: Any) -> Result:
    return asked(using, Angles({name: [angle] for name, angle in zip(NAMES, angles, strict=False)}))


def test_the_answer_in_the_middle_of_the_largest_group_wins() -> None:
    assert said(vote(5), "0", "8", "16", "90", "180") == Value("8", "b")
    assert said(vote(5), "90", "4", "0", "9", "180") == Value("4", "b")


def test_without_a_majority_nobody_wins_and_a_quorum_may_be_less() -> None:
    assert said(vote(4), "0", "5", "90", "180") == OutVoted()
    assert said(vote(4, quorum=Const(2)), "0", "5", "90", "180") == Value("0", "a")


def test_a_group_outside_with_as_much_is_a_tie() -> None:
    assert said(vote(4, quorum=Const(2)), "0", "5", "90", "95") == OutVoted()
    assert said(vote(4, quorum=Const(2), tie=E), "0", "5", "90", "95", "7") == Value("7", "e")
    assert said(vote(4, quorum=Const(2), tie="null"), "0", "5", "90", "95") == OutVoted(
        as_null=True
    )


def test_weights_decide_the_group_and_its_middle() -> None:
    weights = ListOf((Const(1), Const(5), Const(1), Const(1)))
    assert said(vote(4, weights=weights), "0", "8", "90", "95") == Value("8", "b")


def test_abstentions_count_among_the_members() -> None:
    assert said(vote(3), "0", "5", BUSY) == Value("0", "a")
    assert said(vote(3), "0", BUSY, BUSY) == OutVoted()
    assert said(vote(3), BUSY, BUSY, BUSY) == Failed(
        "unavailable", "0 of 3 answers, 1 needed: busy"
    )


def test_equal_texts_need_no_vector_and_a_text_without_one_fails_the_vote() -> None:
    voices = Angles({"a": ["down"], "b": ["down"], "c": ["down"]})
    assert asked(vote(3), voices) == Value("down", "a")
    assert voices.calls == 0
    assert said(vote(3), "0", "down", "5") == DOWN


def test_what_is_compared_may_be_a_part_of_the_answer() -> None:
    on = Lambda("v", Attr(Local("v"), "label"))
    records = [{"label": label} for label in ("0", "8", "90")]
    assert said(vote(3, on=on), *records) == Value({"label": "0"}, "a")


@given(
    st.lists(st.sampled_from(["0", "90", "180"]), min_size=1, max_size=5),
    st.none() | st.integers(1, 5),
    st.lists(st.integers(1, 3), min_size=5, max_size=5),
)
def test_answers_that_are_near_their_equals_alone_vote_by_equality(
    angles: list[str], quorum: int | None, weights: list[int]
) -> None:
    members = tuple(map(One, NAMES[: len(angles)]))
    given = {
        "weights": ListOf(tuple(map(Const, weights[: len(angles)]))),
        "quorum": Const(min(quorum, len(angles))) if quorum else None,
    }
    assert said(vote(len(angles), **given), *angles) == said(
        by_equality(*members, **given), *angles
    )


PROGRAM = """dpipe 1
model one = openai("one", url: "scripted:one.jsonl")
model two = openai("two", url: "scripted:two.jsonl")
model three = openai("three", url: "scripted:three.jsonl")
model vectors = embedder("e", url: "simulated:")
source rows: { q: str } = rows([{ q: "what" }])
prompt say(q: str) -> { a: str } { user: "{q}" }
sink out = rows
  | ask(
    say,
    using: vote([one, two, three], on: v -> v.a, by: embedding(vectors, threshold: 0.5)),
    as: .x,
    meta: .m,
  )
  | keep(a: .x.a, by: .m.model)
  | jsonl("out/a.jsonl")
"""


def test_a_run_keeps_the_middle_answer_and_replays_it(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    answers = {
        "one": "Bananas are yellow.",
        "two": "The river flows to the sea.",
        "three": "The river flows to the wide sea.",
    }
    for name, text in answers.items():
        project.rows(f"{name}.jsonl", [{"reply": {"a": text}}])
    project.run(PROGRAM)
    kept = project.read("out/a.jsonl")
    assert kept == [{"a": answers["two"], "by": "two"}]
    (tmp_path / "out/a.jsonl").unlink()
    assert project.run(PROGRAM, replay=True).status == "done"
    assert project.read("out/a.jsonl") == kept
