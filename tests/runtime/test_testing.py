"""Tests of the language, run: what is given and answered, what fails, and what is told then."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import indent
from typing import get_args

import pytest

from dpipe.lang.compile import compile_program
from dpipe.lang.scripts import OUTCOMES
from dpipe.project import bundled, load
from dpipe.runtime.settings import Settings
from dpipe.runtime.testing import Failure, TestResult, run_test
from dpipe.runtime.values import Outcome

HEAD = """dpipe 1

model gen = openai("m", url: env("NO_SUCH_URL"), key: secret("NO_SUCH_KEY"))
model cold = openai("m", url: env("NO_SUCH_URL"), temperature: 0)
model other = openai(env("NO_SUCH_MODEL"), url: ["http://127.0.0.1:9"], concurrency: 1)
model vectors = embedder("e", url: env("NO_SUCH_URL"))

type Doc = {
  text: str
  level: int?
}

source docs: Doc = jsonl("no/such/file.jsonl")

source more: Doc = jsonl("no/such/other.jsonl")

prompt say(text: str) -> str {
  user: "{text}"
}

prompt rate(text: str) -> 1..5 {
  user: "Rate {text}"
}

sink unread = docs | jsonl("out/unread.jsonl")

sink unread_too = more | jsonl("out/unread_too.jsonl")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(text: str, **options: object) -> list[TestResult]:
    """The results of a program's tests; what it declares stands before ``text``."""

    def read(path: str) -> bytes:
        return (HEAD + text).encode() if path == "main.dpipe" else load(path)

    compiled = compile_program("main.dpipe", read, bundled())
    errors = [d for d in compiled.diagnostics if d.severity == "error"]
    assert compiled.graph is not None, errors
    return [run_test(compiled.graph, test, **options) for test in compiled.tests]  # type: ignore[arg-type]


def result(flow: str, test: str, **options: object) -> TestResult:
    [only] = results(f'{flow}\n\ntest "t" {{\n{indent(test, "  ")}\n}}\n', **options)
    return only


def failure(flow: str, test: str) -> Failure:
    [only] = result(flow, test).failures
    return only


def docs(*texts: str) -> str:
    rows = ", ".join('{ text: "' + text + '" }' for text in texts)
    return f"given: {{ docs: [{rows}] }}"


SAID = "flow said = docs | ask(say, using: gen, as: .a)"


# -- what is given -------------------------------------------------------------------------------


def test_a_test_needs_no_network_no_key_and_no_file_and_leaves_none() -> None:
    test = f'{docs("a")} answer: {{ say: "b" }} expect: map(said, s -> s.a) == ["b"]'
    assert result(SAID, test).passed
    assert os.listdir() == []


def test_given_rows_are_those_of_the_source_with_what_they_leave_out_as_null() -> None:
    assert result("", f"{docs('a')} expect: first(docs).level == null").passed


def test_a_source_that_no_expectation_needs_is_not_asked_for() -> None:
    assert result("", f"{docs('a')} expect: len(docs) == 1").passed


def test_given_values_are_held_against_the_type_when_they_are_known() -> None:
    source = 'param n: int = 7\nsource s: { level: 1..5 } = jsonl("s.jsonl")'
    found = failure(source, "given: { s: [{ level: 1 + n }] } expect: len(s) == 1")
    assert found.message == "`s[0].level` as given: expected 1..5, found 8"


def test_a_flow_that_no_sink_reads_can_be_tested() -> None:
    flow = "flow long = docs | where(len(.text) > 1)"
    assert result(flow, f'{docs("a", "bc")} expect: map(long, d -> d.text) == ["bc"]').passed


def test_an_imported_source_and_prompt_have_the_names_that_the_program_writes(
    folder: Path,
) -> None:
    (folder / "m.dpipe").write_text(
        'dpipe 1\n\nsource rows: { n: int } = jsonl("n.jsonl")\n\n'
        'prompt turn(n: int) -> str {\n  user: "{n}"\n}\n'
    )
    program = (
        'dpipe 1\n\nimport "./m.dpipe" as m\n\nmodel gen = openai("m", url: "simulated:")\n\n'
        "flow f = m.rows | ask(m.turn, using: gen, as: .a)\n\n"
        'test "t" {\n  given: { "m.rows": [{ n: 3 }] }\n  answer: { "m.turn": p -> str(p.n + 1) }\n'
        '  expect: first(f).a == "4"\n}\n'
    )
    (folder / "root.dpipe").write_text(program)
    compiled = compile_program("root.dpipe", load, bundled())
    assert compiled.graph is not None, compiled.diagnostics
    assert run_test(compiled.graph, compiled.tests[0]).failures == ()


def test_a_flow_of_a_module_is_expected_by_its_name_there(folder: Path) -> None:
    (folder / "m.dpipe").write_text(
        'dpipe 1\n\nsource docs: { n: int } = jsonl("n.jsonl")\n\n'
        "flow small = docs | where(.n < 3)\n"
    )
    program = (
        'dpipe 1\n\nimport "./m.dpipe" as m\n\n'
        'test "t" {\n  given: { "m.docs": [{ n: 1 }, { n: 4 }] }\n'
        "  expect: map(m.small, s -> s.n) == [2]\n}\n"
    )
    (folder / "root.dpipe").write_text(program)
    compiled = compile_program("root.dpipe", load, bundled())
    assert compiled.graph is not None
    assert compiled.diagnostics == ()
    [failure] = run_test(compiled.graph, compiled.tests[0]).failures
    assert ("m.small", [{"n": 1}]) in failure.values


def test_chance_is_that_of_seed_0_whatever_the_settings_say() -> None:
    flow = "flow some = docs | sample(3)"
    test = f"{docs(*'abcdefgh')} expect: map(some, d -> d.text) == []"
    seeds = [Settings(seed=seed, sample=1) for seed in (0, 1, 2)]  # type: ignore[call-arg]
    found = [result(flow, test, settings=each).failures[0].values[-1] for each in seeds]
    assert len(found[0][1]) == 3
    assert found[0] == found[1] == found[2]


def test_params_are_set_as_of_a_command_line() -> None:
    flow = "param least: int\nflow long = docs | where(len(.text) >= least)"
    test = f"{docs('a', 'bc')} expect: len(long) == 1"
    assert result(flow, test, params={"least": 2}).passed
    [missing] = result(flow, test).failures
    assert missing.message == "param `least` is not set"


# -- what is answered ----------------------------------------------------------------------------


def test_a_lambda_answers_by_the_bound_parameters() -> None:
    flow = "flow said = docs | ask(say(text: upper(.text)), using: gen, as: .a)"
    test = f'{docs("a", "b")} answer: {{ say: p -> "{{p.text}}!" }}'
    assert result(flow, f'{test} expect: map(said, s -> s.a) == ["A!", "B!"]').passed


def test_a_list_answers_one_call_each_in_the_order_of_rows_members_and_draws() -> None:
    flow = "flow said = docs | ask(say, using: all([gen, other], n: 2), as: .a)"
    answers = "answer: { say: [" + ", ".join(f'"{n}"' for n in range(8)) + "] }"
    expect = 'expect: map(said, s -> s.a) == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]'
    assert result(flow, f"{docs('a', 'b')} {answers} {expect}").passed


def test_a_list_answers_the_model_of_a_tie_behind_the_members_of_its_row() -> None:
    flow = "flow said = docs | ask(say, using: vote([gen, other], tie: gen), as: .a)"
    answers = 'answer: { say: ["x", "y", "y", "z", "z", "x", "y", "x"] }'
    expect = 'expect: map(said, s -> s.a) == ["y", "z", "x"]'
    assert result(flow, f"{docs('a', 'b', 'c')} {answers} {expect}").passed


def test_a_list_serves_the_elements_of_over_in_their_order() -> None:
    flow = "flow said = docs | ask(w -> say(text: w), over: words(.text), using: gen, as: .a)"
    test = f'{docs("a b", "c")} answer: {{ say: ["1", "2", "3"] }}'
    assert result(flow, f'{test} expect: map(said, s -> s.a) == [["1", "2"], ["3"]]').passed


def test_stages_that_ask_one_prompt_take_a_list_in_turn() -> None:
    """Every run alike, though the branches run side by side."""
    flow = """
flow one = docs | ask(say, using: gen, as: .a)
flow two = docs | ask(say(text: "two {.text}"), using: gen, as: .a)
flow both = concat(one, two) | ask(say(text: .a), using: gen, as: .b)"""
    answers = "answer: { say: [" + ", ".join(f'"{n}"' for n in range(8)) + "] }"
    expect = 'expect: map(both, r -> "{r.a}{r.b}") == ["04", "15", "26", "37"]'
    for _ in range(5):
        assert result(flow, f"{docs('a', 'b')} {answers} {expect}").passed


def test_more_rows_than_a_batch_take_a_list_in_turn() -> None:
    flow = """
flow twice = docs
  | ask(say, using: gen, as: .a)
  | ask(say(text: .a), using: gen, as: .b)"""
    rows = docs(*(f"d{n}" for n in range(300)))
    answers = "answer: { say: [" + ", ".join(f'"{n}"' for n in range(600)) + "] }"
    expect = 'expect: map(twice, r -> r.b)[299] == "599" and twice[0].b == "300"'
    assert result(flow, f"{rows} {answers} {expect}").passed


def test_the_rounds_of_a_loop_take_a_list_one_after_the_other() -> None:
    flow = """
pipe better(rows: flow[{ text: str }], writer: model) {
  rows | ask(say, using: writer, as: .new) | set(text: .new) | drop(.new)
}
flow best = docs | loop(better(writer: gen), times: 2)"""
    test = f'{docs("a", "b")} answer: {{ say: ["1", "2", "3", "4"] }}'
    assert result(flow, f'{test} expect: map(best, r -> r.text) == ["3", "4"]').passed


def test_equal_questions_at_temperature_0_are_one_call() -> None:
    flow = "flow said = docs | ask(say, using: {}, as: .a)"
    test = f'{docs("a", "a")} answer: {{ say: ["1", "2"] }} expect: map(said, s -> s.a) == '
    assert result(flow.format("cold"), f'{test}["1", "1"]').passed
    assert result(flow.format("gen"), f'{test}["1", "2"]').passed


def test_a_vote_and_its_tie_are_as_in_a_run() -> None:
    flow = "flow said = docs | ask(say, using: vote([gen, other], tie: cold), as: .a)"
    test = f'{docs("a", "b")} answer: {{ say: ["x", "x", "x", "y", "z"] }}'
    assert result(flow, f'{test} expect: map(said, s -> s.a) == ["x", "z"]').passed


def test_a_poll_names_its_models() -> None:
    flow = "flow said = docs | ask(say, using: poll([gen, other]), as: .p)"
    test = f'{docs("a")} answer: {{ say: ["x", "y"] }}'
    votes = '[{ model: "gen", answer: "x" }, { model: "other", answer: "y" }]'
    assert result(flow, f"{test} expect: first(said).p.votes == {votes}").passed


def test_a_cascade_goes_on_after_what_is_not_accepted_and_what_fails() -> None:
    flow = "flow rated = docs | ask(rate, using: cascade([gen, other], accept: r -> r > 2), as: .r)"
    test = f'{docs("a", "b", "c")} answer: {{ rate: [1, 4, fail("truncated"), 5, 3] }}'
    assert result(flow, f"{test} expect: map(rated, r -> r.r) == [4, 5, 3]").passed


def test_a_fallback_is_for_an_endpoint_that_fails() -> None:
    flow = "flow said = docs | ask(say, using: fallback([gen, other]), as: .a)"
    test = f'{docs("a", "b")} answer: {{ say: [fail("unavailable"), "x", fail("refused")] }}'
    ended = result(flow, f'{test} expect: map(said, s -> s.a) == ["x"]')
    assert ended.passed
    assert [(r.place, r.outcome) for r in ended.rejects] == [("docs[1]", "refused")]


def test_a_call_that_fails_is_not_asked_again() -> None:
    test = f'{docs("a", "b")} answer: {{ say: [fail("malformed"), "x"] }}'
    assert result(SAID, f'{test} expect: map(said, s -> s.text) == ["b"]').passed


def test_on_error_null_gives_null_for_a_call_that_fails() -> None:
    flow = 'flow said = docs | ask(say, using: gen, as: .a, on_error: "null")'
    test = f'{docs("a")} answer: {{ say: fail("filtered") }}'
    assert result(flow, f"{test} expect: first(said).a == null").passed


def test_a_fail_may_hang_on_the_parameters() -> None:
    answer = 'answer: { say: p -> if p.text == "a" then fail("empty") else p.text }'
    ended = result(SAID, f'{docs("a", "b")} {answer} expect: map(said, s -> s.a) == ["b"]')
    assert (ended.failures, [r.outcome for r in ended.rejects]) == ((), ["empty"])


def test_every_outcome_but_ok_can_be_said() -> None:
    assert {*OUTCOMES, "ok"} == set(get_args(Outcome))


def test_a_prompt_that_gives_lists_is_answered_by_a_list_or_by_lists() -> None:
    prompt = 'prompt many(text: str) -> [str] {\n  user: "{text}"\n}\n'
    flow = f"{prompt}flow said = docs | ask(many, using: gen, as: .a)"
    for answer, expected in (
        ('["x", "y"]', '[["x", "y"], ["x", "y"]]'),
        ('[["x", "y"], []]', '[["x", "y"], []]'),
        ("[]", "[[], []]"),
    ):
        test = f"{docs('a', 'b')} answer: {{ many: {answer} }}"
        assert result(flow, f"{test} expect: map(said, s -> s.a) == {expected}").passed


def test_pick_in_an_answer_draws_alike_every_time() -> None:
    answer = 'answer: { say: p -> pick(["x", "y", "z"]) }'
    test = f"{docs(*'abcdefgh')} {answer} expect: map(said, s -> s.a) == []"
    found = [dict(result(SAID, test).failures[0].values)["said"] for _ in range(2)]
    assert found[0] == found[1]
    assert len({row["a"] for row in found[0]}) > 1


def test_what_the_prompt_cannot_render_fails_the_row_as_in_a_run() -> None:
    flow = "flow said = docs | ask(say(text: [.text][1]), using: gen, as: .a)"
    ended = result(flow, f'{docs("a")} answer: {{ say: "x" }} expect: len(said) == 0')
    assert ended.passed
    assert [r.outcome for r in ended.rejects] == ["error"]


def test_embedders_are_simulated() -> None:
    flow = "flow few = docs | dedup(.text, by: embedding(vectors, threshold: 0.9))"
    test = f"{docs('the cat sat', 'a dog ran off', 'the cat sat')}"
    assert result(flow, f"{test} expect: len(few) == 2").passed


# -- what fails ----------------------------------------------------------------------------------


def test_a_call_that_the_answers_do_not_cover_fails_the_test() -> None:
    found = failure(SAID, f'{docs("a", "b")} answer: {{ say: ["x"] }} expect: len(said) == 2')
    assert found.message == (
        'prompt `say` is asked more often than it is answered; this call has {"text":"b"}'
    )


def test_an_answer_that_does_not_fit_its_prompt_fails_the_test() -> None:
    flow = "flow rated = docs | ask(rate, using: gen, as: .r)"
    test = f"{docs('abcdefgh')} answer: {{ rate: p -> len(p.text) }} expect: len(rated) == 1"
    assert failure(flow, test).message == (
        "the answer of prompt `rate` does not fit: expected 1..5, found 8"
    )


def test_an_answer_without_a_value_fails_the_test() -> None:
    test = f"{docs('')} answer: {{ say: p -> first(words(p.text)) }} expect: len(said) == 1"
    message = failure(SAID, test).message
    assert message == "the answer of prompt `say` has no value: `first` of an empty list"


def test_an_expectation_that_does_not_hold_shows_its_parts_the_outermost_first() -> None:
    flow = "flow long = docs | where(len(.text) > 1)"
    found = failure(flow, f'{docs("bc")} expect: upper(first(long).text) in ["A", "B"]')
    row = {"text": "bc", "level": None}
    assert found.expect == 'upper(first(long).text) in ["A", "B"]'
    assert found.message is None
    assert found.values == (
        ("upper(first(long).text)", "BC"),
        ("first(long).text", "bc"),
        ("first(long)", row),
        ("long", [row]),
    )


def test_what_hangs_on_a_lambdas_variable_is_not_shown() -> None:
    found = failure("", f"{docs('a')} expect: every(docs, docs -> len(docs.text) > len(docs.text))")
    assert [text for text, _ in found.values] == ["docs"]


def test_an_expectation_without_a_value_says_why_and_shows_what_has_one() -> None:
    found = failure("", 'given: { docs: [] } expect: first(docs).text == "a"')
    assert found.message == "it has no value: `first` of an empty list"
    assert found.values == (("docs", []),)


def test_every_expectation_that_fails_is_told_at_its_place() -> None:
    test = f"{docs('a')}\nexpect: len(docs) == 2\nexpect: len(docs) == 1\nexpect: len(docs) > 3"
    found = result("", test).failures
    assert [one.expect for one in found] == ["len(docs) == 2", "len(docs) > 3"]
    assert found[1].place.line - found[0].place.line == 2


def test_python_of_a_tested_flow_needs_leave_and_that_of_its_source_does_not(
    folder: Path,
) -> None:
    (folder / "own.py").write_text(
        "def twice(text: str) -> str:\n    return text * 2\n\n\ndef read(n: int): ...\n"
    )
    flow = """
extern def twice(text: str) -> str = python("own.py:twice")
extern source mine(n: int) -> { text: str } = python("own.py:read")
source own = mine(3)"""
    used = f"{flow}\nflow twins = own | set(text: twice(.text))"
    given = 'given: { own: [{ text: "a" }] }'
    test = f'{given} expect: first(twins).text == "aa"'
    [refused] = result(used, test).failures
    assert refused.message == 'the program runs Python of its own, `python("own.py:twice")`'
    settings = Settings.model_validate({"allow_python": True})
    assert result(used, test, settings=settings).passed
