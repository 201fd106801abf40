"""Which of the program's asks of a prompt a stage is."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.lang.compile import compile_program
from tests.lang.programs import STD, load_std

HEAD = """dpipe 1
model m = openai("a", url: "simulated:")
source one: { text: str } = jsonl("one.jsonl")
source two: { text: str } = jsonl("two.jsonl")
prompt p(text: str) -> str {
  user: "{text}"
}
"""


def _ordinals(text: str) -> dict[str, int]:
    """The ordinal of each ask by the field that it writes."""
    program = (HEAD + text).encode()
    compiled = compile_program(
        "p.dpipe", lambda path: program if path == "p.dpipe" else load_std(path), STD
    )
    assert compiled.graph is not None, compiled.diagnostics
    found: dict[str, int] = {}
    for node in compiled.graph.nodes:
        if isinstance(node, graph.StageNode) and node.stage == "ask":
            call, field = node.args["prompt"], node.args["as"]
            assert isinstance(call, graph.PromptCall)
            assert isinstance(field, graph.Const)
            found[str(field.value)] = call.ordinal
    return found


def _flow(name: str, source: str, arg: str = ".text") -> str:
    ask = f"ask(p(text: {arg}), using: m, as: .{name})"
    return f'sink {name} = {source} | {ask} | jsonl("{name}.jsonl")\n'


def test_asks_over_one_source_are_told_apart() -> None:
    assert _ordinals(_flow("a", "one") + _flow("b", "one")) == {"a": 0, "b": 1}


def test_asks_over_different_sources_do_not_know_of_each_other() -> None:
    both = _flow("a", "one") + _flow("b", "two")
    assert _ordinals(both) == {"a": 0, "b": 0}
    assert _ordinals(_flow("b", "two") + _flow("a", "one")) == {"a": 0, "b": 0}
    assert _ordinals(_flow("c", "two") + both) == {"a": 0, "b": 1, "c": 0}


def test_questions_that_hang_on_no_row_are_told_apart_over_any_source() -> None:
    text = _flow("a", "one", '"x"') + _flow("b", "two", '"x"') + _flow("c", "two")
    assert _ordinals(text) == {"a": 0, "b": 1, "c": 0}


def test_a_flow_over_both_sources_is_kin_to_each() -> None:
    text = _flow("a", "one") + _flow("b", "concat(one, two)") + _flow("c", "two")
    assert _ordinals(text) == {"a": 0, "b": 1, "c": 0}


def test_the_asks_of_a_loop_are_kin_to_those_before_it() -> None:
    pipe = (
        "pipe again(rows: flow[{ text: str }]) {\n  rows | ask(p, using: m, as: .l) | drop(.l)\n}\n"
    )
    loop = 'sink looped = one | loop(again, times: 2) | jsonl("l.jsonl")\n'
    assert _ordinals(pipe + _flow("a", "one") + loop + _flow("b", "two")) == {
        "l": 0,
        "a": 1,
        "b": 0,
    }
