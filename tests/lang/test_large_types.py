"""Types made of types, functions of functions: what takes too much at each step is told, or cut."""

from __future__ import annotations

import pytest

from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.types import MOST_SHOWN, STR, Field, Optional, Record, Type, show
from tests.lang.programs import STD, load_std


def doubled(times: int) -> str:
    """So many types, each of which has the next one twice."""
    types = [f"type T{n} = {{ a: T{n + 1}, b: T{n + 1} }}\n" for n in range(times)]
    return "".join([*types, f"type T{times} = {{ x: str, y: 1..10 }}\n"])


def checked(text: str) -> Compiled:
    def load(path: str) -> bytes:
        return load_std(path) if path.startswith("<std>") else f"dpipe 1\n{text}".encode()

    return compile_program("p.dpipe", load, STD)


PROGRAM = """
model m = openai("m", url: "simulated:")
source s: { q: str, t: T0 } = jsonl("a.jsonl")
prompt p(q: str) -> T0 { user: "{q}" }
flow f = s | ask(p, using: m, as: .r) | where(.t == .r) | set(z: [.t, .r])
sink o = f | jsonl("o.jsonl")
"""


@pytest.mark.parametrize("times", [12, 40, 400])
def test_types_that_double_and_double_are_told_once(times: int) -> None:
    found = checked(doubled(times) + PROGRAM).diagnostics
    assert [(one.code, one.message) for one in found] == [
        (
            "E0119",
            f"type `T{times - 12}` is too large: with the types in it written out it has more "
            "than 10,000 parts",
        )
    ]


def test_a_type_of_just_less_is_as_good_as_any() -> None:
    found = checked(doubled(11) + PROGRAM + "def d(x: T0) -> str = x\n").diagnostics
    assert [(one.code, one.message) for one in found] == [("E0304", "`d` gives T0, declared str")]


def test_what_is_written_of_a_type_is_bounded() -> None:
    of: Type = Record((Field("x", STR),), "Leaf")
    for depth in range(60):
        name = f"T{depth}" if depth % 2 else None
        of = Record((Field("a", of), Field("b", Optional(of))), name)
    assert len(show(of)) < 20 * MOST_SHOWN
    assert "T57" in show(of)
    assert "{ … }" in show(of)


def test_a_wide_row_is_written_whole() -> None:
    wide = Record(tuple(Field(f"f{n}", STR) for n in range(5 * MOST_SHOWN)))
    assert show(wide).count("str") == 5 * MOST_SHOWN


def test_rows_that_double_at_each_stage_are_checked_and_shown() -> None:
    stages = " | set(q: { a: .q, b: .q })" * 60
    source, flow = 'source s = text("a.txt")', f"flow f = s | set(q: .text){stages}"
    compiled = checked(f'{source}\n{flow}\nsink o = f | jsonl("o.jsonl")\n')
    assert [one.message for one in compiled.diagnostics if one.severity == "error"] == []
    assert max(len(show(at.row)) for at in compiled.rows) < 20 * MOST_SHOWN


@pytest.mark.parametrize(("length", "told"), [(90, []), (300, ["d100"]), (2000, ["d100"])])
def test_functions_that_call_each_other_too_deep_are_told_once(
    length: int, told: list[str]
) -> None:
    chain = [f"def d{n}(x: int) -> int = d{n - 1}(x) + 1\n" for n in range(1, length)]
    last = f'sink o = repeated | set(n: d{length - 1}(.index)) | jsonl("o.jsonl")\n'
    source = "source repeated = repeat(3)\n"
    found = checked("".join(["def d0(x: int) -> int = x\n", *chain, source, last])).diagnostics
    assert [(one.code, one.message.split("`")[1]) for one in found] == [
        ("E0119", name) for name in told
    ]
