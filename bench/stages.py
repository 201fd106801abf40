"""How fast rows pass the pure stages: ``python bench/stages.py [ROWS]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from time import perf_counter
from typing import Any

from dpipe.lang import graph
from dpipe.lang.graph import Binary, Call, Const, Field, Fields, Method, Template
from dpipe.lang.types import OPEN_ROW
from dpipe.runtime.content import Program, salt_of
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.stages import STAGES
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Row, key_of

BATCH = 256


def step(stage: str, **args: graph.Arg) -> Any:
    named = {name.rstrip("_"): arg for name, arg in args.items()}
    node = graph.StageNode("bench", stage, 0, named, OPEN_ROW, graph.Place("bench", 1, 1))
    salt = salt_of(0, node, Program({}, {}))
    return STAGES[stage](node, StageContext(stage, Expressions({}, {}, {}), salt))


def set_and_where() -> list[Any]:
    length = Call("len", (Field("text"),))
    fields = Fields(
        (
            ("prompt", Template(("Row ", Field("n"), ": ", Field("text")))),
            ("score", Binary("/", Field("n"), length)),
        )
    )
    test = Binary("and", Binary(">", length, Const(5)), Binary("!=", Field("n"), Const(3)))
    return [step("set", fields=fields), step("where", test=test)]


def dedup(method: str) -> Callable[[], list[Any]]:
    return lambda: [step("dedup", text=Field("text"), by=Method(method, {}))]


CASES: dict[str, Callable[[], list[Any]]] = {
    "set + where": set_and_where,
    "split": lambda: [
        step(
            "split",
            shares=Fields((("train", Const(0.9)), ("val", Const(0.1)))),
            as_=Const("part"),
        )
    ],
    "sort": lambda: [step("sort", by=Field("text"))],
    "shuffle": lambda: [step("shuffle")],
    "sample": lambda: [step("sample", n=Const(1000))],
    "dedup exact": dedup("exact"),
    "dedup minhash": dedup("minhash"),
}


def rows(count: int) -> list[Row]:
    """Short texts of random words."""
    random = Random(0)
    words = [f"word{n}" for n in range(5000)]
    texts = (" ".join(random.choices(words, k=20)) for _ in range(count))
    return [Row({"n": n, "text": text}, key_of(str(n)), f"in:{n}") for n, text in enumerate(texts)]


def passes(steps: list[Any], source: list[Row]) -> int:
    """How many rows leave the steps, one after the other as the executor runs them."""
    left = 0
    for start in range(0, len(source), BATCH):
        batch: Batch = list(source[start : start + BATCH])
        for made in steps:
            batch = made.feed(batch)
        left += len(batch)
    return left + len(steps[-1].finish())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    source = rows(count)
    for name, make in CASES.items():
        steps = make()
        start = perf_counter()
        left = passes(steps, source)
        took = perf_counter() - start
        each = took / count * 1e6
        print(f"{name:14} {count:,} rows, {left:,} left: {took:.2f} s, {each:.2f} µs a row")


if __name__ == "__main__":
    main()
