"""group, join, embed, retrieve, decontaminate, select, and dedup against other rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from math import cos, isclose, log, pi, sin
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import graph, types
from dpipe.lang.graph import Attr, Binary, Const, Field, Fields, Lambda, Local, Method
from dpipe.runtime.answerers import Failed
from dpipe.runtime.bm25 import K1, B, Bm25
from dpipe.runtime.content import Program, salt_of
from dpipe.runtime.cosines import best, cosines, units
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.ngrams import ngrams
from dpipe.runtime.result import RunResult
from dpipe.runtime.stages import STAGES
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.matches import Match
from dpipe.runtime.text import terms
from dpipe.runtime.values import Batch, Leaver, Reject, Row, key_of
from tests.runtime.programs import Folder

PLACE = graph.Place("p.dpipe", 1, 1)
MODEL = graph.One("vectors")
T, K, N = Field("t"), Field("k"), Field("n")
TENTH = Binary("/", Const(10), N)
"""Has no value where ``n`` is 0."""

REJECT = Reject("before", "error", "why", "in:0", {"n": -1})
LEAVER = Leaver(Row({"n": -2}, b"left", "in:0"), 1)


# -- stages alone --------------------------------------------------------------------------------


class Out:
    def __init__(self) -> None:
        self.items: Batch = []

    async def put(self, batch: Batch) -> None:
        await trio.lowlevel.checkpoint()
        self.items += batch


async def in_batches(items: Sequence[Any], size: int) -> AsyncGenerator[Batch, None]:
    for start in range(0, len(items), size):
        await trio.lowlevel.checkpoint()
        yield list(items[start : start + size])


async def vectors(model: graph.One, texts: Sequence[str]) -> list[list[float] | Failed]:
    """Texts are angles in degrees; those of later calls may be there first."""
    assert model == MODEL
    if texts:
        await trio.sleep(1 / len(texts[0]))
    return [
        Failed("rejected_request", "no") if text == "bad" else [cos(x := angle(text)), sin(x)]
        for text in texts
    ]


def angle(text: str) -> float:
    return float(text) * pi / 180


def stage(name: str, *, row: types.Record = types.OPEN_ROW, seed: int = 0, **args: Any) -> Any:
    named = {arg.rstrip("_"): value for arg, value in args.items()}
    node = graph.StageNode("f", name, 0, named, row, PLACE)
    salt = salt_of(seed, node, Program({}, {}))
    context = StageContext(f"f: {name}", Expressions({}, {}, {}), salt, vectors)
    return STAGES[name](node, context)


def rows(*values: dict[str, Any], file: str = "in") -> list[Row]:
    return [
        Row(value, key_of(file, repr(value), str(at)), f"{file}:{at}")
        for at, value in enumerate(values, 1)
    ]


def texts(*found: str, file: str = "in") -> list[Row]:
    return rows(*({"t": text} for text in found), file=file)


def run(made: Any, items: Sequence[Any], size: int = 100, **others: Sequence[Row]) -> Batch:
    """What a task makes of items, in virtual time; its counts are in balance."""
    out = Out()

    async def main() -> None:
        given = {name: in_batches(found, size) for name, found in others.items()}
        await made.run(in_batches(items, size), out, given)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert made.tally.balanced
    assert made.tally.entered - sum(made.tally.reasons.values()) == made.tally.passed
    return out.items


def values(items: Batch) -> list[Any]:
    return [item.values for item in items if isinstance(item, Row)]


def seen(items: Batch) -> list[str]:
    return [row["t"] for row in values(items)]


def by(**entries: graph.Expr) -> Fields:
    return Fields(tuple(entries.items()))


def count() -> graph.Computed:
    return computed("dpipe.runtime.metrics.count:Count", None)


def computed(target: str, value: graph.Expr | None) -> graph.Computed:
    return graph.Computed((graph.Metric(target, value, (), None),), Local("$0"))


# -- group ---------------------------------------------------------------------------------------

COUNTED = graph.Figures((("rows", count()),))
MEANT = graph.Figures(
    (("rows", count()), ("m", computed("dpipe.runtime.metrics.mean:Mean", TENTH)))
)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_groups_come_in_the_order_in_which_their_keys_appear(size: int) -> None:
    made = stage("group", by=by(k=K), figures=COUNTED)
    out = run(made, rows({"k": "b"}, {"k": "a"}, {"k": "b"}, {"k": None}, {}), size)
    assert values(out) == [
        {"k": "b", "rows": 2},
        {"k": "a", "rows": 1},
        {"k": None, "rows": 2},
    ]
    assert (made.tally.entered, made.tally.passed, made.tally.left) == (5, 5, 3)
    assert [item.place for item in out if isinstance(item, Row)] == ["in:1", "in:2", "in:4"]


def test_groups_of_no_rows_are_none() -> None:
    assert run(stage("group", by=by(k=K), figures=COUNTED), []) == []


def test_a_group_may_have_several_keys_and_no_figures() -> None:
    out = run(
        stage("group", by=by(k=K, n=N)),
        rows({"k": "a", "n": 1}, {"k": "a", "n": 2}, {"k": "a", "n": 1.0}),
    )
    assert values(out) == [{"k": "a", "n": 1}, {"k": "a", "n": 2}]


def test_a_group_is_known_by_its_key_alone() -> None:
    made = [run(stage("group", by=by(k=K)), rows(*found)) for found in ([{"k": 1}], [{"k": 1.0}])]
    [[one], [other]] = made
    assert isinstance(one, Row)
    assert isinstance(other, Row)
    assert one.key == other.key


def test_a_row_without_a_figure_is_a_reject_and_in_no_group() -> None:
    made = stage("group", by=by(k=K), figures=MEANT)
    out = run(made, rows({"k": 1, "n": 5}, {"k": 1, "n": 0}, {"k": 2, "n": 0}))
    assert values(out) == [{"k": 1, "rows": 1, "m": 2.0}]
    assert [item.row for item in out if isinstance(item, Reject)] == [
        {"k": 1, "n": 0},
        {"k": 2, "n": 0},
    ]
    assert made.tally.reasons == {"failed:error": 2}


def test_what_is_no_row_passes_a_group_before_it() -> None:
    out = run(stage("group", by=by(k=K)), [*rows({"k": 1}), REJECT, LEAVER])
    assert out[:2] == [REJECT, LEAVER]
    assert len(out) == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=30), st.integers(1, 10))
def test_groups_are_those_of_a_plain_model(found: list[tuple[int, int]], size: int) -> None:
    figures = graph.Figures((("s", computed("dpipe.runtime.metrics.sum:Sum", N)),))
    model: dict[int, int] = defaultdict(int)
    for k, n in found:
        model[k] += n
    out = run(
        stage("group", by=by(k=K), figures=figures),
        rows(*({"k": k, "n": n} for k, n in found)),
        size,
    )
    assert [(row["k"], row["s"]) for row in values(out)] == list(model.items())


# -- join ----------------------------------------------------------------------------------------

LEFT = types.Record(tuple(types.Field(name, types.STR) for name in ("k", "t", "w")))


def joined(kind: str, found: Sequence[Any], other: Sequence[Row], size: int = 100) -> Any:
    made = stage("join", other=graph.Input(1), on=by(k=K), kind=Const(kind), row=LEFT)
    return made, run(made, found, size, other=other)


@pytest.mark.parametrize("size", [1, 100])
def test_there_is_a_row_for_each_match_in_the_order_of_the_other_flow(size: int) -> None:
    other = rows({"k": 1, "w": "x"}, {"k": 2, "w": "y"}, {"k": 1.0, "w": "z"}, file="other")
    made, out = joined("inner", rows({"k": 1, "t": "a"}, {"k": 3}, {"k": 2}, {"k": 1}), other, size)
    assert values(out) == [
        {"k": 1, "t": "a", "w": "x"},
        {"k": 1, "t": "a", "w": "z"},
        {"k": 2, "w": "y"},
        {"k": 1, "w": "x"},
        {"k": 1, "w": "z"},
    ]
    assert made.tally.reasons == {"unmatched": 1}
    assert (made.tally.passed, made.tally.left) == (3, 5)
    assert len({item.key for item in out}) == 5


def test_left_keeps_rows_without_a_match_and_fills_nulls() -> None:
    made, out = joined("left", rows({"k": 1, "t": "a"}, {"k": 2, "t": "b"}), rows({"k": 2, "w": 3}))
    assert values(out) == [{"k": 1, "t": "a", "w": None}, {"k": 2, "t": "b", "w": 3}]
    assert made.tally.reasons == {}


def test_null_matches_nothing() -> None:
    made, out = joined("inner", rows({"k": None}, {}), rows({"k": None, "w": 1}, {"w": 2}))
    assert (out, made.tally.reasons) == ([], {"unmatched": 2})


def test_what_is_no_row_passes_a_join_in_its_place() -> None:
    _, out = joined("inner", [*rows({"k": 1}), LEAVER, REJECT, *rows({"k": 1})], rows({"k": 1}))
    assert [item.__class__ for item in out] == [Row, Leaver, Reject, Row]


# -- embed ---------------------------------------------------------------------------------------


def test_vectors_are_put_into_the_rows_in_their_order() -> None:
    found = [*texts("0", "90"), REJECT, *texts("bad", "180")]
    made = stage("embed", text=T, using=MODEL, as_=Const("v"))
    out = run(made, found, 1)
    assert [[round(x) for x in row["v"]] for row in values(out)] == [[1, 0], [0, 1], [-1, 0]]
    assert out[2] == REJECT
    assert isinstance(out[3], Reject)
    assert out[3].outcome == "rejected_request"
    assert made.tally.reasons == {"failed:rejected_request": 1}


# -- dedup against other rows --------------------------------------------------------------------

OTHER = Lambda("o", Attr(Local("o"), "t"))


def against(by: Method, other: Sequence[Row], found: Sequence[Any], **args: Any) -> Any:
    made = stage("dedup", text=T, by=by, against=graph.Input(1), **args)
    return made, run(made, found, 2, against=other)


@pytest.mark.parametrize("method", ["exact", "minhash"])
def test_what_is_like_a_row_of_the_other_flow_is_a_duplicate(method: str) -> None:
    other = texts("a b c d", "a b c d", "x y z", file="old")
    made, out = against(Method(method, {}), other, texts("new one", "A b  c d", "new one", "x y z"))
    assert seen(out) == ["new one"]
    assert made.tally.reasons == {"duplicate": 3}
    assert made.step.matches.found == [
        Match("in:2", "old:1"),
        Match("in:3", "in:1"),
        Match("in:4", "old:3"),
    ]


def test_on_reads_the_rows_of_the_other_flow() -> None:
    on = Lambda("o", graph.Template((Attr(Local("o"), "w"), "!")))
    _, out = against(Method("exact", {}), rows({"w": "a"}), texts("a", "a!"), on=on)
    assert seen(out) == ["a"]


def test_what_lies_near_a_row_of_the_other_flow_is_a_duplicate() -> None:
    method = Method("embedding", {"model": MODEL, "threshold": Const(cos(angle("10")))})
    old = texts("0", "bad", "180", file="old")
    made, out = against(method, old, texts("5", "30", "35", "175", "120"))
    assert seen(out) == ["30", "120"]
    assert [item.outcome for item in out if isinstance(item, Reject)] == ["rejected_request"]
    assert made.tally.reasons == {"failed:rejected_request": 1, "duplicate": 3}
    assert made.matches.found[0] == Match("in:1", "old:1")


def test_a_row_of_the_other_flow_that_cannot_be_read_is_a_reject() -> None:
    on = Lambda("o", graph.Call("str", (Binary("/", Const(1), Attr(Local("o"), "n")),)))
    made, out = against(Method("exact", {}), rows({"n": 0}, {"n": 1}), texts("1.0", "2"), on=on)
    assert [item.row for item in out if isinstance(item, Reject)] == [{"n": 0}]
    assert made.tally.reasons["failed:error"] == 1


# -- decontaminate -------------------------------------------------------------------------------


def clean(found: Sequence[str], benchmark: Sequence[str], n: int) -> tuple[list[str], Any]:
    made = stage("decontaminate", text=T, against=graph.Input(1), on=OTHER, n=Const(n))
    return seen(run(made, texts(*found), against=texts(*benchmark))), made.tally.reasons


def test_rows_that_share_a_run_of_words_are_contaminated() -> None:
    benchmark = ["What is the capital of France, and why?"]
    kept, reasons = clean(
        ["tell me what is THE capital; of france", "the capital of Spain", "why and France"],
        benchmark,
        4,
    )
    assert kept == ["the capital of Spain", "why and France"]
    assert reasons == {"contaminated": 1}


def test_where_words_are_not_spaced_characters_count() -> None:
    kept, _ = clean(["请问法国的首都是哪里", "法国的文学"], ["法国的首都"], 4)
    assert kept == ["法国的文学"]


def test_a_text_shorter_than_the_run_is_compared_as_a_whole() -> None:
    kept, _ = clean(["Yes.", "yes it is", "no"], ["yes", ""], 13)
    assert kept == ["yes it is", "no"]


def test_thirteen_words_are_the_default() -> None:
    words = [f"w{n}" for n in range(20)]
    made = stage("decontaminate", text=T, against=graph.Input(1), on=OTHER)
    shared = [" ".join(words[:12]) + " other", "so " + " ".join(words[5:18])]
    assert seen(run(made, texts(*shared), against=texts(" ".join(words)))) == shared[:1]


@given(
    st.lists(st.sampled_from("abc"), max_size=12),
    st.lists(st.sampled_from("abc"), max_size=12),
    st.integers(1, 4),
)
def test_texts_share_a_number_where_they_share_a_run(
    one: list[str], two: list[str], n: int
) -> None:
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        size = min(n, len(words))
        return (
            {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
            if words
            else set()
        )

    shared = set(ngrams(" ".join(one), n)) & set(ngrams(" ".join(two), n))
    assert bool(shared) == bool(runs(one) & runs(two))


# -- retrieve ------------------------------------------------------------------------------------


def hits(
    method: Method, query: str, corpus: Sequence[Row], top: int = 2
) -> list[tuple[str, float]]:
    made = stage(
        "retrieve",
        corpus=graph.Input(1),
        on=OTHER,
        query=T,
        top=Const(top),
        by=method,
        as_=Const("hits"),
    )
    out = run(made, texts(query), 1, corpus=corpus)
    [row] = values(out)
    return [(hit["t"], hit["score"]) for hit in row["hits"]]


WORDS = Method("bm25", {})
NEAREST = Method("embedding", {"model": MODEL})


def test_rare_words_weigh_most_and_repetition_less_and_less() -> None:
    corpus = texts("the cat sat", "the dog sat", "the the the sun", "the cat and the dog")
    assert [text for text, _ in hits(WORDS, "a dog", corpus)] == [
        "the dog sat",
        "the cat and the dog",
    ]
    assert hits(WORDS, "moon", corpus) == []
    assert [text for text, _ in hits(WORDS, "the sun", corpus, top=1)] == ["the the the sun"]


def test_scores_are_those_of_the_formula() -> None:
    index = Bm25()
    index.add("a b a")
    index.add("c")
    [(place, score)] = index.search("a", 5)
    weight = log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = weight * 2 * (K1 + 1) / (2 + K1 * (1 - B + B * 3 / 2))
    assert (place, isclose(score, expected)) == (0, True)


def test_equal_hits_come_in_the_order_of_the_corpus() -> None:
    corpus = [*texts("cat one"), *texts("cat two"), *texts("cat six"), *texts("cow")]
    assert [text for text, _ in hits(WORDS, "cat", corpus)] == ["cat one", "cat two"]
    same = [Row({"t": "40", "n": n}, b"", "c") for n in range(5)]
    assert [text for text, _ in hits(NEAREST, "40", same, top=3)] == ["40", "40", "40"]


def test_words_that_are_not_spaced_are_found_by_their_pairs() -> None:
    assert terms("黑猫 sat 在 it's") == ["黑猫", "sat", "在", "it's"]
    assert terms("我爱北京abc") == ["我爱", "爱北", "北京", "abc"]
    corpus = texts("上海是一座城市", "北京是中国的首都", "京北")
    assert hits(WORDS, "北京", corpus)[0][0] == "北京是中国的首都"
    assert len(hits(WORDS, "北京", corpus)) == 1


def test_the_nearest_vectors_are_found_best_first() -> None:
    corpus = texts("0", "bad", "50", "90", "180", file="c")
    made = stage(
        "retrieve",
        corpus=graph.Input(1),
        on=OTHER,
        query=T,
        top=Const(2),
        by=NEAREST,
        as_=Const("h"),
    )
    out = run(made, texts("60", "bad", "1"), 1, corpus=corpus)
    found = [[(hit["t"], hit["score"]) for hit in row["h"]] for row in values(out)]
    assert [[text for text, _ in each] for each in found] == [["50", "90"], ["0", "50"]]
    assert found[0][0][1] == round(cos(angle("10")), 6)
    assert made.tally.reasons == {"failed:rejected_request": 2}


@pytest.mark.parametrize("method", [WORDS, NEAREST])
def test_an_empty_corpus_gives_no_hits(method: Method) -> None:
    assert hits(method, "1", []) == []


def test_the_rows_of_the_corpus_are_hits_as_they_are() -> None:
    made = stage(
        "retrieve", corpus=graph.Input(1), on=OTHER, query=T, top=Const(1), by=WORDS, as_=Const("h")
    )
    [row] = values(run(made, texts("x"), corpus=rows({"t": "x", "id": 7})))
    assert row == {"t": "x", "h": [{"t": "x", "id": 7, "score": row["h"][0]["score"]}]}


# -- cosines -------------------------------------------------------------------------------------

NUMBERS = st.lists(
    st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=3, max_size=3),
    min_size=1,
    max_size=20,
)


@given(NUMBERS)
def test_a_cosine_is_the_same_however_many_are_compared(found: list[list[float]]) -> None:
    together = cosines(units(found), units(found))
    for at, one in enumerate(found):
        assert (cosines(units([one]), units(found))[0] == together[at]).all()
        assert (together[at] == together[:, at]).all()


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 40))
def test_the_best_are_the_highest_in_order(scores: list[int], top: int) -> None:
    import numpy as np

    expected = sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:top]
    assert best(np.array(scores, np.float64), top) == expected


# -- select --------------------------------------------------------------------------------------


def selected(n: int, *found: str, seed: int = 0, size: int = 100) -> tuple[list[str], Any]:
    made = stage("select", text=T, n=Const(n), by=Method("k_center", {"model": MODEL}), seed=seed)
    return seen(run(made, texts(*found), size)), made.tally


def test_a_choice_is_far_apart_and_keeps_the_order() -> None:
    found = ["0", "1", "2", "120", "121", "240", "241"]
    chosen, tally = selected(3, *found)
    assert [int(text) // 100 for text in chosen] == [0, 1, 2]
    assert tally.reasons == {"surplus": 4}
    assert selected(3, *found, size=1)[0] == chosen


def test_equal_rows_are_chosen_last() -> None:
    assert sorted(set(selected(3, "5", "5", "5", "90", "180")[0])) == ["180", "5", "90"]


def test_fewer_rows_than_wanted_all_stay() -> None:
    chosen, tally = selected(9, "0", "bad", "0", "7")
    assert chosen == ["0", "0", "7"]
    assert tally.reasons == {"failed:rejected_request": 1}
    assert selected(0, "0", "7")[0] == []
    assert selected(3)[0] == []


def test_another_seed_begins_elsewhere() -> None:
    found = [str(at * 20) for at in range(18)]
    assert len({tuple(selected(1, *found, seed=seed)[0]) for seed in range(8)}) > 2


# -- conservation --------------------------------------------------------------------------------

METHOD = Method("k_center", {"model": MODEL})
MADE: dict[str, Any] = {
    "group": {"by": by(t=T), "figures": MEANT},
    "join": {"other": graph.Input(1), "on": by(t=T)},
    "embed": {"text": T, "using": MODEL, "as": Const("v")},
    "dedup": {"text": T, "by": Method("exact", {}), "against": graph.Input(1)},
    "decontaminate": {"text": T, "against": graph.Input(1), "on": OTHER, "n": Const(1)},
    "select": {"text": T, "n": Const(3), "by": METHOD},
    "retrieve": {
        "corpus": graph.Input(1),
        "on": OTHER,
        "query": T,
        "top": Const(2),
        "by": NEAREST,
        "as": Const("h"),
    },
}
INPUTS = {"join": "other", "dedup": "against", "decontaminate": "against", "retrieve": "corpus"}
FOUND = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["0", "10", "90", "bad"]), st.integers(0, 2)),
        st.sampled_from([REJECT, LEAVER]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", MADE)
@given(found=FOUND, other=st.lists(st.sampled_from(["0", "50", "bad"]), max_size=5), data=st.data())
def test_every_row_is_accounted_for_and_batches_change_nothing(
    name: str, found: list[Any], other: list[str], data: st.DataObject
) -> None:
    items = [
        Row({"t": one[0], "n": one[1]}, key_of(str(at)), f"in:{at}")
        if isinstance(one, tuple)
        else one
        for at, one in enumerate(found)
    ]
    others: dict[str, Any] = {INPUTS[name]: texts(*other, file="other")} if name in INPUTS else {}
    made = stage(name, **MADE[name])
    out = run(made, items, **others)
    own = sum(isinstance(item, Row) for item in items)
    unread = made.tally.entered - own
    assert 0 <= unread <= len(other)
    assert made.tally.left == sum(isinstance(item, Row) for item in out)
    assert [item for item in out if item in (REJECT, LEAVER)] == [
        item for item in items if item in (REJECT, LEAVER)
    ]
    failed = sum(n for reason, n in made.tally.reasons.items() if reason.startswith("failed:"))
    assert failed == sum(isinstance(item, Reject) and item is not REJECT for item in out)
    size = data.draw(st.integers(1, 5))
    again = run(stage(name, **MADE[name]), items, size, **others)
    assert shown(again, name) == shown(out, name)


def shown(items: Batch, name: str) -> Any:
    """Items as they compare; of stages that gather, what passes by and rows apart."""
    found = [(item.values, item.key) if isinstance(item, Row) else item for item in items]
    if name not in ("group", "select"):
        return found
    return [one for one in found if isinstance(one, tuple)], [
        one for one in found if not isinstance(one, tuple)
    ]


# -- whole programs ------------------------------------------------------------------------------

HEAD = """dpipe 1

model gen = openai("m", url: "simulated:", concurrency: 8)

model v = embedder("e", url: "simulated:")

source docs: { id: int, topic: "a" | "b", text: str } = jsonl("docs.jsonl")

source old: { id: int?, title: str } = jsonl("old.jsonl")

prompt p(text: str) -> str { user: "{text}" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows(
        "docs.jsonl",
        [
            {"id": 1, "topic": "a", "text": "the tides follow the moon"},
            {"id": 2, "topic": "b", "text": "bread needs time and heat"},
            {"id": 3, "topic": "a", "text": "the moon follows the earth"},
            {"id": 4, "topic": "b", "text": "dough rests before the oven"},
        ],
    )
    made.rows(
        "old.jsonl",
        [
            {"id": 1, "title": "tides"},
            {"id": 3, "title": "the tides follow the moon"},
            {"id": 3, "title": "orbits"},
            {"title": "nothing"},
        ],
    )
    return made


def result_of(folder: Folder, flow: str) -> tuple[list[Any], RunResult]:
    result = folder.run(f'{HEAD}\nflow f = docs | {flow}\nsink o = f | jsonl("out/o.jsonl")\n')
    return folder.read("out/o.jsonl"), result


def test_a_program_groups_and_writes_its_figures(folder: Folder) -> None:
    found, result = result_of(folder, "group(by: .topic, rows: count(), most: max(len(.text)))")
    assert found == [{"topic": "a", "rows": 2, "most": 26}, {"topic": "b", "rows": 2, "most": 27}]
    assert (result.status, result.exit_code) == ("done", 0)


def test_a_function_is_given_and_gives_the_declared_fields_alone(folder: Folder) -> None:
    given = "def same(r: { a: int }) -> { a: int } = r\n"
    read = 'def read(r: { a: int, b: str? }?) -> str = upper(r.b ?? "none")\n'
    folder.run(
        f"dpipe 1\n{given}{read}source s: {{ a: int, b: int }} = rows([{{ a: 1, b: 2 }}])\n"
        "flow f = s | keep(r: same({ a: .a, b: .b }), n: read(same({ a: .a, b: .b })))\n"
        'sink o = f | jsonl("out/o.jsonl")\n'
    )
    assert folder.read("out/o.jsonl") == [{"r": {"a": 1}, "n": "NONE"}]


def test_a_figure_without_a_value_fails_the_row_of_its_key(folder: Folder) -> None:
    found, result = result_of(folder, "group(by: .id, share: 1 / (2 - sum(.id)))")
    assert [row["id"] for row in found] == [1, 3, 4]
    (lost,) = folder.read("out/o.rejects.jsonl")
    assert (lost["message"], lost["row"]) == ("`share`: division by zero", {"id": 2})
    (group,) = [node for node in result.nodes if node.label == "f: group"]
    assert (group.entered, group.passed, group.left, group.failed) == (4, 3, 3, 1)


def test_a_group_may_measure_texts_through_an_embedder(folder: Folder) -> None:
    found, result = result_of(folder, "group(by: .topic, d: vendi(.text, using: v))")
    assert all(1 < row["d"] <= 2 for row in found)
    assert result.calls == 1


def test_a_program_joins(folder: Folder) -> None:
    found, result = result_of(folder, "join(old, on: .id) | keep(.id, .title)")
    assert [(row["id"], row["title"]) for row in found] == [
        (1, "tides"),
        (3, "the tides follow the moon"),
        (3, "orbits"),
    ]
    assert {n.label: dict(n.reasons) for n in result.nodes}["f: join"] == {"unmatched": 2}
    assert result.exit_code == 0
    found, _ = result_of(folder, 'join(old, on: .id, kind: "left") | keep(.id, .title)')
    assert [row["title"] for row in found][1::3] == [None, None]


def test_a_flow_is_joined_with_itself(folder: Folder) -> None:
    folder.rows("docs.jsonl", [{"id": n, "topic": "a", "text": "t"} for n in range(3000)])
    program = f"{HEAD}\nflow ids = docs | keep(.id, n: .id)\n" + (
        "flow f = docs | ask(p, using: gen, as: .x) | join(ids, on: .id)\nsink o = f | limit(3)"
        ' | jsonl("out/o.jsonl")\n'
    )
    folder.run(program)
    assert [row["n"] for row in folder.read("out/o.jsonl")] == [0, 1, 2]


def test_a_program_retrieves_by_words_and_by_vectors(folder: Folder) -> None:
    for method in ("bm25()", "embedding(v)"):
        found, _ = result_of(
            folder,
            f"retrieve(old, on: o -> o.title, query: .text, top: 1, by: {method}, as: .hits)",
        )
        assert found[0]["hits"][0]["title"] == "the tides follow the moon"


def test_a_program_leaves_out_what_is_in_a_benchmark_or_was_there_before(folder: Folder) -> None:
    found, _ = result_of(folder, "decontaminate(.text, against: old, on: o -> o.title, n: 4)")
    assert [row["id"] for row in found] == [2, 3, 4]
    found, _ = result_of(folder, "dedup(.text, by: exact(), against: old, on: o -> o.title)")
    assert [row["id"] for row in found] == [2, 3, 4]


def test_a_program_embeds_and_selects_and_asks_for_each_text_once(folder: Folder) -> None:
    found, first = result_of(folder, "embed(.text, using: v, as: .vec) | set(size: len(.vec))")
    assert [row["size"] for row in found] == [256] * 4
    found, second = result_of(folder, "select(.text, n: 2, by: k_center(v))")
    assert (len(found), first.calls, second.calls) == (2, 1, 0)


def test_one_question_an_element_in_order(folder: Folder) -> None:
    found, result = result_of(
        folder, "set(w: words(.text)) | ask(e -> p(text: e), over: .w, using: gen, as: .said)"
    )
    assert [len(row["said"]) for row in found] == [5, 5, 5, 5]
    assert all(w in said for row in found for w, said in zip(row["w"], row["said"], strict=True))
    assert result.calls == 20


def test_a_prompt_may_be_chosen_for_each_element(folder: Folder) -> None:
    found, _ = result_of(
        folder,
        'set(w: ["x", "y"]) | ask(e -> if e == "x" then p(text: "one {e}") else p(text: "two {e}"),'
        " over: .w, using: gen, as: .said)",
    )
    assert all("one x" in row["said"][0] and "two y" in row["said"][1] for row in found)


def test_a_constant_without_a_value_is_told_in_one_line(folder: Folder) -> None:
    with pytest.raises(UsageError, match="f: select: `n` has no value: division by zero"):
        result_of(folder, "select(.text, n: 1 % 0, by: k_center(v))")
