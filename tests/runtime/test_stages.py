"""What the pure stages make of rows, and that every row is accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from math import ceil, cos, sin
from types import MappingProxyType
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import graph, types
from dpipe.lang.graph import Attr, Binary, Const, Field, Fields, Method
from dpipe.runtime.answerers import Failed
from dpipe.runtime.content import Program, salt_of
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.stages import STAGES
from dpipe.runtime.stages.base import Step, Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.dedup_embedding import EmbeddingDedup, VectorIndex
from dpipe.runtime.stages.matches import Match
from dpipe.runtime.values import Batch, Reject, Row, key_of

PLACE = graph.Place("p.dpipe", 1, 1)
A, N, T = Field("a"), Field("n"), Field("t")
TENTH = Binary("/", Const(10), N)
"""Has no value where ``n`` is 0."""


def node(stage: str, row: types.Record = types.OPEN_ROW, **args: graph.Arg) -> graph.StageNode:
    named = {name.rstrip("_"): arg for name, arg in args.items()}
    return graph.StageNode("f", stage, 0, named, row, PLACE)


def fields(**entries: graph.Expr) -> Fields:
    return Fields(tuple(entries.items()))


def step(
    stage: str,
    *,
    seed: int = 0,
    row: types.Record = types.OPEN_ROW,
    args: Mapping[str, graph.Arg] = MappingProxyType({}),
    **more: graph.Arg,
) -> Any:
    """The stage of a node; ``seed`` is the run's, a stage's own is among ``args``."""
    made = node(stage, row, **args, **more)
    salt = salt_of(seed, made, Program({}, {}))
    return STAGES[stage](made, StageContext(f"f: {stage}", Expressions({}, {}, {}), salt))


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(v, key_of(str(n)), f"in:{n + 1}") for n, v in enumerate(values)]


def numbered(count: int) -> list[Row]:
    return rows(*({"n": n} for n in range(count)))


REJECT = Reject("f: ask", "refused", "no", "in:9", {"n": 9})


def run(made: Step, batch: Sequence[Row | Reject], size: int = 3) -> Batch:
    """Everything that leaves, fed in batches; the tally is balanced in the end."""
    out: Batch = []
    for start in range(0, len(batch), size):
        out += made.feed(list(batch[start : start + size]))
    out += made.finish()
    assert made.tally.balanced
    assert made.tally.left == sum(isinstance(item, Row) for item in out)
    return out


def values(out: Batch) -> list[dict[str, Any]]:
    return [item.values for item in out if isinstance(item, Row)]


# -- a row at a time -----------------------------------------------------------------------------


def test_set_sees_the_row_before_the_stage_and_replaces_in_place() -> None:
    made = step("set", fields=fields(a=N, b=A))
    assert list(values(run(made, rows({"a": 1, "n": 2})))[0].items()) == [
        ("a", 2),
        ("n", 2),
        ("b", 1),
    ]


def test_a_stage_changes_no_row_in_place() -> None:
    before = rows({"a": 1, "n": 2})
    run(step("set", fields=fields(a=N)), before)
    assert before[0].values == {"a": 1, "n": 2}


def test_a_row_without_a_value_becomes_a_reject_that_names_field_and_reason() -> None:
    made = step("set", fields=fields(x=TENTH))
    out = run(made, rows({"n": 5}, {"n": 0}, {"n": 2}))
    assert values(out) == [{"n": 5, "x": 2.0}, {"n": 2, "x": 5.0}]
    assert out[1] == Reject("f: set", "error", "`x`: division by zero", "in:2", {"n": 0})
    assert made.tally.reasons == {"failed:error": 1}


def test_where_filters_and_its_failures_are_rejects() -> None:
    made = step("where", test=Binary(">", TENTH, Const(3)))
    out = run(made, rows({"n": 1}, {"n": 5}, {"n": 0}))
    assert values(out) == [{"n": 1}]
    assert made.tally.reasons == {"filtered": 1, "failed:error": 1}


def test_keep_and_drop_choose_fields() -> None:
    row = {"a": 1, "n": 2, "t": 3}
    assert values(run(step("keep", fields=fields(t=T, x=N)), rows(row))) == [{"t": 3, "x": 2}]
    assert values(run(step("drop", names=fields(a=A, t=T)), rows(row))) == [{"n": 2}]


def test_unnest_joins_the_fields_of_each_element() -> None:
    made = step("unnest", field=Const("a"))
    before = rows({"a": [{"x": 1}, {"x": 2}], "n": 0}, {"a": [], "n": 1})
    out = run(made, before)
    assert values(out) == [{"n": 0, "x": 1}, {"n": 0, "x": 2}]
    assert [row.key for row in out if isinstance(row, Row)] == [
        key_of(before[0].key, "0"),
        key_of(before[0].key, "1"),
    ]
    assert made.tally.reasons == {"empty": 1}
    assert (made.tally.passed, made.tally.left) == (1, 2)


@pytest.mark.parametrize("as_", ["a", "n", "x"])
def test_unnest_puts_the_element_into_a_field(as_: str) -> None:
    made = step("unnest", field=Const("a"), as_=Const(as_))
    expected = {"n": 0, as_: "p"}
    assert values(run(made, rows({"a": ["p"], "n": 0}))) == [expected]


def test_what_is_no_list_or_no_record_cannot_be_unnested() -> None:
    out = run(step("unnest", field=Const("a")), rows({"a": None}, {"a": [{"x": 1}, "b"]}))
    assert [item.message for item in out if isinstance(item, Reject)] == [
        "`.a` is null, not a list",
        "element 1 of `.a` is a text, not a record",
    ]


def test_chunk_makes_a_row_a_piece_and_none_of_a_blank_text() -> None:
    made = step("chunk", text=T, chars=Const(4), as_=Const("c"))
    out = run(made, rows({"t": "aaaabb"}, {"t": "  "}))
    assert values(out) == [{"t": "aaaabb", "c": "aaaa"}, {"t": "aaaabb", "c": "bb"}]
    assert made.tally.reasons == {"empty": 1}


def test_an_overlap_as_large_as_the_piece_is_refused() -> None:
    with pytest.raises(UsageError, match="an overlap of 4 chars"):
        step("chunk", text=T, chars=Const(4), overlap=Const(4), as_=Const("c"))
    with pytest.raises(UsageError, match="does not go with"):
        step("chunk", text=T, by=Const("heading"), overlap=Const(4), as_=Const("c"))


# -- duplicates ----------------------------------------------------------------------------------


def test_exact_dedup_keeps_the_first_and_tells_of_which_row_each_is_a_duplicate() -> None:
    made = step("dedup", text=T, by=Method("exact", {}))
    out = run(made, rows({"t": "A  b"}, {"t": "c"}, {"t": "ａ B\n"}, {"t": "c"}))
    assert values(out) == [{"t": "A  b"}, {"t": "c"}]
    assert made.matches.found == [Match("in:3", "in:1"), Match("in:4", "in:2")]
    assert made.tally.reasons == {"duplicate": 2}


def test_minhash_dedup_keeps_the_first_of_like_rows() -> None:
    text = " ".join(f"w{n}" for n in range(40))
    made = step("dedup", text=T, by=Method("minhash", {"threshold": Const(0.7)}))
    out = run(made, rows({"t": text}, {"t": "other"}, {"t": text + " more"}))
    assert values(out) == [{"t": text}, {"t": "other"}]
    assert made.matches.found == [Match("in:3", "in:1")]


@given(st.lists(st.sampled_from(["a", "A", "b", "b ", "c"])))
def test_dedup_keeps_the_first_of_each_kind_in_order(texts: list[str]) -> None:
    firsts: dict[str, dict[str, Any]] = {}
    for text in texts:
        firsts.setdefault(text.strip().lower(), {"t": text})
    for method in ("exact", "minhash"):
        made = step("dedup", text=T, by=Method(method, {}))
        assert values(run(made, rows(*({"t": text} for text in texts)))) == [*firsts.values()]


# -- all rows first ------------------------------------------------------------------------------


def test_sort_is_stable_both_ways_and_null_comes_last() -> None:
    batch = rows(*({"n": n, "a": at} for at, n in enumerate([2, None, 1, 2, 1.0])))
    up = values(run(step("sort", by=N), batch))
    assert [v["a"] for v in up] == [2, 4, 0, 3, 1]
    down = values(run(step("sort", by=N, desc=Const(True)), batch))
    assert [v["a"] for v in down] == [0, 3, 2, 4, 1]


def test_sort_orders_kinds_before_values_and_rejects_what_has_no_order() -> None:
    out = run(step("sort", by=A), rows({"a": "x"}, {"a": [1]}, {"a": 2}, {"a": True}))
    assert [item.values["a"] for item in out[1:] if isinstance(item, Row)] == [True, 2, "x"]
    assert isinstance(out[0], Reject)
    assert out[0].message == "a list has no place in an order"


def test_rejects_come_before_the_rows_of_a_stage_that_needs_all() -> None:
    for made in (step("sort", by=N), step("shuffle"), step("sample", n=Const(5))):
        out = run(made, [*numbered(3), REJECT, *numbered(2)])
        assert out[0] == REJECT
        assert len(values(out)) == 5


def test_sample_keeps_source_order_and_draws_by_identity() -> None:
    chosen = values(run(step("sample", n=Const(10)), numbered(100)))
    assert len(chosen) == 10
    assert chosen == sorted(chosen, key=lambda v: v["n"])
    backwards = values(run(step("sample", n=Const(10)), numbered(100)[::-1]))
    assert backwards == chosen[::-1]


def test_another_seed_draws_another_sample_and_its_own_seed_wins_over_the_runs() -> None:
    def sample(of_run: int, **own: graph.Arg) -> list[dict[str, Any]]:
        made = step("sample", seed=of_run, args={"n": Const(10), **own})
        return values(run(made, numbered(100)))

    assert sample(0) == sample(0) != sample(1)
    assert sample(0, seed=Const(7)) == sample(1, seed=Const(7)) != sample(0)


def test_equal_rows_are_sampled_in_order() -> None:
    same = [Row({"n": n}, b"one record", f"in:{n}") for n in range(5)]
    assert values(run(step("sample", n=Const(2)), same)) == [{"n": 0}, {"n": 1}]


def test_shuffle_orders_by_chance_whatever_the_order_before() -> None:
    shuffled = values(run(step("shuffle"), numbered(50)))
    assert sorted(v["n"] for v in shuffled) == list(range(50))
    assert shuffled != values(numbered(50))
    assert values(run(step("shuffle"), numbered(50)[::-1])) == shuffled


# -- limit ---------------------------------------------------------------------------------------


def test_limit_is_exact_and_what_follows_is_surplus() -> None:
    made = step("limit", n=Const(2))
    first = made.feed([REJECT, *numbered(3), REJECT])
    assert made.full
    assert first == [REJECT, *first[1:]]
    assert [v["n"] for v in values(first)] == [0, 1]
    assert made.feed([REJECT, *numbered(2)]) == []
    assert made.tally.reasons == {"surplus": 3}
    assert made.tally.balanced


def test_limit_0_is_full_from_the_start() -> None:
    assert step("limit", n=Const(0)).full


def test_limit_per_counts_each_value_and_is_full_once_each_member_of_an_enum_is() -> None:
    row = types.Record(
        (types.Field("a", types.Record((types.Field("k", types.Enum(("x", "y"))),))),)
    )
    made = step("limit", row=row, n=Const(1), per=Attr(A, "k"))
    batch = rows(*({"a": {"k": k}} for k in "xxyx"))
    assert [v["a"]["k"] for v in values(made.feed(batch[:2]))] == ["x"]
    assert not made.full
    assert [v["a"]["k"] for v in values(made.feed(batch[2:]))] == ["y"]
    assert made.full
    assert made.tally.reasons == {"surplus": 2}


def test_limit_per_an_optional_enum_waits_for_null_too() -> None:
    row = types.Record((types.Field("a", types.optional(types.BOOL)),))
    made = step("limit", row=row, n=Const(1), per=A)
    made.feed(rows({"a": True}, {"a": False}))
    assert not made.full
    made.feed(rows({"a": None}))
    assert made.full


def test_limit_per_anything_else_is_never_full() -> None:
    made = step("limit", n=Const(1), per=N)
    assert values(run(made, rows({"n": 1}, {"n": 1.0}, {"n": 2}))) == [{"n": 1}, {"n": 2}]
    assert not made.full


def test_limit_passes_over_the_first_and_is_full_behind_the_last() -> None:
    made = step("limit", n=Const(2), skip=Const(3))
    assert [v["n"] for v in values(made.feed(numbered(4)))] == [3]
    assert not made.full
    assert [v["n"] for v in values(made.feed(numbered(4)))] == [0]
    assert made.full
    assert made.tally.reasons == {"surplus": 6}
    assert made.tally.balanced
    assert step("limit", n=Const(0), skip=Const(3)).full


@given(st.lists(st.sampled_from([True, False, None])), st.integers(0, 3), st.integers(0, 3))
def test_limit_passes_over_the_first_of_each_value(kinds: list[Any], n: int, skip: int) -> None:
    row = types.Record((types.Field("a", types.optional(types.BOOL)),))
    made = step("limit", row=row, n=Const(n), skip=Const(skip), per=A)
    batch = [{"a": kind, "n": at} for at, kind in enumerate(kinds)]
    kept = [v["n"] for v in values(run(made, rows(*batch)))]
    assert sorted(kept) == sorted(
        value["n"]
        for kind in (True, False, None)
        for value in [value for value in batch if value["a"] is kind][skip : skip + n]
    )
    assert kept == sorted(kept)


@given(st.sampled_from([0.1, 0.2, 0.3, 0.7, 1.0, 0.0]), st.lists(st.sampled_from("xyz")))
def test_a_share_is_rounded_up_for_each_value(share: float, kinds: list[str]) -> None:
    made = step("limit", share=Const(share), per=A)
    out = values(run(made, rows(*({"a": kind, "n": n} for n, kind in enumerate(kinds)))))
    counts = Counter(v["a"] for v in out)
    for kind, size in Counter(kinds).items():
        assert counts[kind] == ceil(round(share * size, 6))
    assert out == sorted(out, key=lambda v: v["n"])


# -- split ---------------------------------------------------------------------------------------

SHARES = fields(train=Const(0.9), val=Const(0.1))


def test_split_holds_its_shares_on_average_and_moves_no_row_when_rows_are_added() -> None:
    made = step("split", shares=SHARES, as_=Const("part"))
    parts = values(run(made, numbered(2000)))
    assert made.sizes == Counter(v["part"] for v in parts)
    assert 150 < made.sizes["val"] < 250
    assert (
        values(run(step("split", shares=SHARES, as_=Const("part")), numbered(500))) == parts[:500]
    )


def test_rows_with_equal_values_of_by_never_part() -> None:
    made = step("split", shares=SHARES, by=A, as_=Const("part"))
    parts = defaultdict(set)
    for v in values(run(made, rows(*({"a": n % 40} for n in range(400))))):
        parts[v["a"]].add(v["part"])
    assert all(len(found) == 1 for found in parts.values())
    assert {part for found in parts.values() for part in found} == {"train", "val"}


def test_a_part_with_no_share_gets_no_row_and_is_counted() -> None:
    shares = fields(train=Const(1.0), val=Const(0))
    made = step("split", shares=shares, as_=Const("part"))
    run(made, numbered(50))
    assert made.sizes == {"train": 50, "val": 0}


def test_shares_that_do_not_sum_to_1_are_refused() -> None:
    with pytest.raises(UsageError, match=r"sum to 0\.8"):
        step("split", shares=fields(a=Const(0.5), b=Const(0.3)), as_=Const("part"))


# -- chance --------------------------------------------------------------------------------------


def salt(stage: graph.StageNode, **known: Any) -> bytes:
    return salt_of(0, stage, Program(known.get("defs", {}), known.get("params", {})))


def pick_from(variable: str, function: str = "f") -> graph.StageNode:
    call = graph.CallDef(function, (graph.Local(variable),))
    return node("set", fields=fields(a=graph.Call("map", (A, graph.Lambda(variable, call)))))


def test_names_change_no_draw() -> None:
    defs = {
        "f": graph.Def("f", ("x",), graph.Call("pick", (graph.Local("x"),))),
        "g": graph.Def("g", ("other",), graph.Call("pick", (graph.Local("other"),))),
    }
    assert salt(pick_from("v"), defs=defs) == salt(pick_from("w", "g"), defs=defs)
    one = graph.PromptCall("p", (A,), 0)
    other = graph.PromptCall("q", (A,), 3)
    assert salt(node("ask", prompt=one)) == salt(node("ask", prompt=other))


def test_content_and_seed_change_every_draw() -> None:
    plain = node("sample", n=Const(1))
    assert salt(plain) != salt(node("sample", n=Const(2))) != salt(node("limit", n=Const(2)))
    assert salt(plain) != salt_of(1, plain, Program({}, {}))
    by_param = node("sample", n=graph.Param("n"))
    assert salt(by_param, params={"n": 1}) == salt(plain)


def test_two_fields_of_one_stage_pick_independently() -> None:
    pick = graph.Call("pick", (A,))
    made = step("set", fields=fields(x=pick, y=pick))
    out = values(run(made, rows(*({"a": list(range(1000)), "n": n} for n in range(20)))))
    assert all(v["x"] != v["y"] for v in out)


# -- conservation --------------------------------------------------------------------------------

EVERY: dict[str, Callable[[], Any]] = {
    "set": lambda: step("set", fields=fields(x=TENTH)),
    "where": lambda: step("where", test=Binary(">", TENTH, Const(4))),
    "keep": lambda: step("keep", fields=fields(x=TENTH)),
    "drop": lambda: step("drop", names=fields(t=T)),
    "unnest": lambda: step("unnest", field=Const("a")),
    "unnest as": lambda: step("unnest", field=Const("a"), as_=Const("x"), index=Const("i")),
    "chunk": lambda: step("chunk", text=T, chars=Const(3), overlap=Const(1), as_=Const("c")),
    "exact": lambda: step("dedup", text=T, by=Method("exact", {})),
    "minhash": lambda: step("dedup", text=T, by=Method("minhash", {})),
    "sort": lambda: step("sort", by=TENTH),
    "limit": lambda: step("limit", n=Const(3)),
    "limit per": lambda: step("limit", n=Const(1), per=TENTH),
    "limit skip": lambda: step("limit", n=Const(2), per=TENTH, skip=Const(1)),
    "limit share": lambda: step("limit", share=Const(0.4), per=TENTH),
    "sample": lambda: step("sample", n=Const(3)),
    "shuffle": lambda: step("shuffle"),
    "split": lambda: step("split", shares=SHARES, by=TENTH, as_=Const("part")),
}
ITEMS = st.lists(
    st.just(None)
    | st.fixed_dictionaries(
        {
            "n": st.integers(0, 4),
            "t": st.text("ab ", max_size=8),
            "a": st.lists(st.just({"z": 1}) | st.just("text"), max_size=2) | st.none(),
        }
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", EVERY)
@given(items=ITEMS, size=st.integers(1, 5))
def test_every_row_is_accounted_for(name: str, items: list[Any], size: int) -> None:
    made = EVERY[name]()
    batch: list[Row | Reject] = [
        REJECT if v is None else Row(v, key_of(str(n)), f"in:{n}") for n, v in enumerate(items)
    ]
    out = run(made, batch, size)
    tally = made.tally
    assert tally.entered == sum(isinstance(item, Row) for item in batch)
    failed = sum(isinstance(item, Reject) and item is not REJECT for item in out)
    assert tally.reasons["failed:error"] == failed
    if name != "limit":  # which drops what comes once it is full
        assert sum(item is REJECT for item in out) == sum(item is REJECT for item in batch)


@pytest.mark.parametrize("name", EVERY)
@given(items=ITEMS, size=st.integers(1, 5))
def test_no_stage_hangs_on_how_rows_come_in_batches(name: str, items: list[Any], size: int) -> None:
    batch = rows(*(v for v in items if v is not None))
    one, other = (run(EVERY[name](), batch, s) for s in (size, 100))
    assert comparable(one) == comparable(other)


def comparable(out: Batch) -> list[Any]:
    return [(item.values, item.key) if isinstance(item, Row) else item for item in out]


# -- dedup by embedding --------------------------------------------------------------------------

MODEL = graph.One("vectors")
ANGLES = {"east": 0.0, "nearly east": 0.1, "north": 1.5, "north again": 1.55, "between": 0.6}


class Out:
    def __init__(self, most: int = 10**9) -> None:
        self.items: Batch = []
        self.most = most

    async def put(self, batch: Batch) -> None:
        if len(self.items) >= self.most:
            raise Unwanted
        self.items += batch


async def in_batches(items: Sequence[Row | Reject], size: int) -> AsyncGenerator[Batch, None]:
    for start in range(0, len(items), size):
        await trio.lowlevel.checkpoint()
        yield list(items[start : start + size])


async def vectors(model: graph.One, texts: Sequence[str]) -> list[list[float] | Failed]:
    assert model == MODEL
    if "down" in texts:
        return [Failed("unavailable", "the endpoint is down")] * len(texts)
    await trio.sleep(1 / len(texts[0]))  # later groups may be ready first
    return [vector(text) for text in texts]


def vector(text: str) -> list[float] | Failed:
    if text == "too long":
        return Failed("rejected_request", "too many tokens")
    return [cos(ANGLES[text]), sin(ANGLES[text])]


def embedding(threshold: float = 0.9) -> EmbeddingDedup:
    by = Method("embedding", {"model": MODEL, "threshold": Const(threshold)})
    made = node("dedup", text=T, by=by)
    context = StageContext("f: dedup", Expressions({}, {}, {}), b"", vectors)
    found = STAGES["dedup"](made, context)
    assert isinstance(found, EmbeddingDedup)
    return found


def deduplicated(made: EmbeddingDedup, items: Sequence[Row | Reject], size: int = 100) -> Batch:
    out = Out()

    async def main() -> None:
        await made.run(in_batches(items, size), out, {})

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert made.tally.balanced
    return out.items


@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_near_an_earlier_one_are_duplicates_in_row_order(size: int) -> None:
    made = embedding()
    texts = ["east", "north", "nearly east", "between", "north again"]
    out = deduplicated(made, [*rows(*({"t": t} for t in texts)), REJECT], size)
    assert [v["t"] for v in values(out)] == ["east", "north", "between"]
    assert out[-1] == REJECT
    assert made.matches.found == [Match("in:3", "in:1"), Match("in:5", "in:2")]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(1, 40))
def test_vectors_are_compared_alike_in_groups_of_any_size(steps: list[int], size: int) -> None:
    vectors = [[cos(step / 9), sin(step / 9)] for step in steps]
    index, found = VectorIndex(0.97), []
    for start in range(0, len(vectors), size):
        found += index.add_all(vectors[start : start + size])
    kept: list[int] = []
    for step, like in zip(steps, found, strict=True):
        near = (n for n, other in enumerate(kept) if cos((step - other) / 9) >= 0.97)
        assert like == next(near, None)
        if like is None:
            kept.append(step)


def test_a_row_like_a_dropped_one_but_no_kept_one_stays() -> None:
    texts = ["east", "nearly east", "between"]
    out = deduplicated(embedding(cos(0.55)), rows(*({"t": t} for t in texts)))
    assert [v["t"] for v in values(out)] == ["east", "between"]


def test_a_text_that_is_refused_takes_no_other_with_it() -> None:
    texts = ["east", "too long", "north", "between"]
    out = deduplicated(embedding(), rows(*({"t": t} for t in texts)))
    assert [v["t"] for v in values(out)] == ["east", "north", "between"]
    assert out[1] == Reject(
        "f: dedup", "rejected_request", "too many tokens", "in:2", {"t": "too long"}
    )


def test_an_endpoint_that_is_down_fails_the_rows_of_the_call() -> None:
    made = embedding()
    out = deduplicated(made, rows({"t": "east"}, {"t": "down"}, {"t": "north"}), 2)
    assert [item.outcome for item in out if isinstance(item, Reject)] == ["unavailable"] * 2
    assert [v["t"] for v in values(out)] == ["north"]


def test_it_stops_when_nobody_wants_more() -> None:
    made = embedding()
    out = Out(most=1)
    turns = rows(*({"t": t} for t in ["east", "east", *["north", "between"] * 100]))

    async def main() -> None:
        async with aclosing(in_batches(turns, 1)) as batches:
            with pytest.raises(Unwanted):
                await made.run(batches, out, {})

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert len(out.items) == 1
