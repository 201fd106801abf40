"""Mistakes: each is told once, by its own code, at its own place, and what is meant is read."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Bag, Diagnostic
from dpipe.lang.parse import parse_module
from dpipe.lang.source import Source

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "tests" / "programs").glob("*.dpipe"))


def parsed(text: str) -> tuple[syntax.Module, list[Diagnostic], Source]:
    source, bag = Source("t.dpipe", f"dpipe 1\n{text}\n"), Bag()
    module = parse_module(source, bag)
    return module, list(bag), source


def applied(source: Source, finding: Diagnostic) -> str:
    """The program with a finding's first fix made."""
    text = source.text
    for edit in sorted(finding.fixes[0].edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


# Each: the program, the code, the text that is marked, the line after the fix (None: no fix).
MISTAKES = [
    # habits of other languages
    ("def f(x: int) -> bool = x not in [1]", "E0103", "not in",
     "def f(x: int) -> bool = not x in [1]"),
    ("def f(x: int) -> bool = x is null", "E0103", "is", "def f(x: int) -> bool = x == null"),
    ("def f(x: int) -> bool = x is not null", "E0103", "is not",
     "def f(x: int) -> bool = x != null"),
    ("type A = str | null", "E0125", "null", "type A = str ?"),
    ("type A = null | str", "E0125", "null", None),
    ("def f(x: bool) -> bool = x && x", "E0103", "&&", "def f(x: bool) -> bool = x and x"),
    ("def f(x: bool) -> bool = !x", "E0103", "!", "def f(x: bool) -> bool = not x"),
    ("def f(x: bool) -> int = x ? 1 : 2", "E0103", "?",
     "def f(x: bool) -> int = if x then 1 else 2"),
    ("def f(x: bool) -> int = x ? a : b", "E0103", "?",
     "def f(x: bool) -> int = if x then a else b"),
    ("def f(x: int) -> int = 1 if x > 1 else 3", "E0103", "if",
     "def f(x: int) -> int = if x > 1 then 1 else 3"),
    ("def f(x: int) -> int = 1 + if a then 2 else 3", "E0127", "if",
     "def f(x: int) -> int = 1 + (if a then 2 else 3)"),
    ("def f(x: int) -> bool = 1 < x < 3", "E0121", "<", "def f(x: int) -> bool = 1 < x and x < 3"),
    ("def f(x: int) -> int = x ** 2", "E0103", "**", None),
    ("flow a = b | set(c: .a?.b)", "E0103", "?.", "flow a = b | set(c: .a.b)"),
    ("flow a = b | jsonl('x.y')", "E0102", "'x.y'", 'flow a = b | jsonl("x.y")'),
    ("flow a = b | set(c: .x.len())", "E0124", "len", "flow a = b | set(c: len(.x))"),
    ('flow a = b | set(c: "a".join(.x, "b"))', "E0124", "join",
     'flow a = b | set(c: join("a", .x, "b"))'),
    ("flow a = b | set(c: .x[1:3])", "E0103", ":", "flow a = b | set(c: .x[1..2])"),
    ("flow a = b | set(c: .x[:3])", "E0103", ":", "flow a = b | set(c: .x[0..2])"),
    ("flow a = b | set(c: .x[1:])", "E0103", ":", "flow a = b | set(c: .x[1..-1])"),
    ("flow a = b | set(c: .x[m:n])", "E0103", ":", "flow a = b | set(c: .x[m..n - 1])"),
    ("flow a = b | set(c: map(.x, (a, b) -> a))", "E0126", "(a, b)", None),
    ("flow a = b | set(c: map(.x, (a) -> a))", "E0126", "(a)",
     "flow a = b | set(c: map(.x, a -> a))"),
    ("flow a = b | set(c: map(.x, lambda a: a))", "E0126", "lambda",
     "flow a = b | set(c: map(.x, a -> a))"),
    ("flow a = b |> c", "E0103", "|>", "flow a = b | c"),
    ("type A = list[str]", "E0113", "list", "type A = [str]"),
    ("type A = Optional[str]", "E0113", "Optional", "type A = str?"),
    ("type A = str[]", "E0113", "[]", "type A = [str]"),
    ("flow a = b | where(.x contains \"y\" and .z)", "E0103", "contains",
     "flow a = b | where(contains(.x, \"y\") and .z)"),
    ("flow a = b | where(not .x startswith upper(.y))", "E0103", "startswith",
     "flow a = b | where(not starts_with(.x, upper(.y)))"),
    ("flow a = b | where(.x between 1 and 5 or .y)", "E0103", "between",
     "flow a = b | where(.x in 1..5 or .y)"),
    ("flow a = b | set(c: [upper(t) for t in .x])", "E0103", "for",
     "flow a = b | set(c: map(.x, t -> upper(t)))"),
    ("flow a = b | set(c: [t for t in .x if t > 1])", "E0103", "for",
     "flow a = b | set(c: map(filter(.x, t -> t > 1), t -> t))"),
    ("flow a = b | limit 10\n  | c", "E0502", "10", "flow a = b | limit (10)\n  | c"),
    ('flow a = b | where .x != "" | c', "E0502", ".x", 'flow a = b | where (.x != "") | c'),
    ("flow a = b -- all of them", "E0103", "--", None),
    ("def f(x: int) = x", "E0113", "=", None),
    ('prompt p(x: str) { user: "{x}" }', "E0113", "{", None),
    ("def f(x: int) -> int { x + 1 }", "E0113", "{", "def f(x: int) -> int = x + 1"),
    ('prompt p(x: str) -> str { "{x}" }', "E0116", '"{x}"', None),
    ("type A = record { a: str }", "E0113", "record", "type A = { a: str }"),
    # names
    ("flow model = b", "E0112", "model", None),
    ("flow x = model", "E0112", "model", None),
    ("param type: str", "E0112", "type", None),
    ("def f(type: str) -> int = 1", "E0112", "type", None),
    ('param "a b": int', "E0112", '"a b"', None),
    ("flow = b | c", "E0113", "=", None),
    ("type = { a: str }", "E0113", "=", None),
    # `=` and `:`
    ('model a = openai("x", url="y")', "E0106", "=", 'model a = openai("x", url:"y")'),
    ("flow a = b | where(.a = 3)", "E0107", "=", "flow a = b | where(.a == 3)"),
    ('model m: openai("x")', "E0108", ":", 'model m = openai("x")'),
    ("flow a = b | keep(.a, : .b)", "E0108", ":", None),
    ("type A = { a str, b: int }", "E0116", "a", "type A = { a: str, b: int }"),
    ("flow a = b | ask(p, using gen, as: .x)", "E0116", "using",
     "flow a = b | ask(p, using: gen, as: .x)"),
    ("param n int = 3", "E0116", "n", "param n: int = 3"),
    ("param n = 3", "E0116", "n", None),
    ('prompt p(text) -> str { user: "x" }', "E0116", "text", None),
    ('test "a" { given { a: 1 } }', "E0116", "given", 'test "a" { given: { a: 1 } }'),
    # commas and pipes
    ('model a = openai("x" url: "y")', "E0109", "url", 'model a = openai("x", url: "y")'),
    ("flow a = b | keep(.a .b)", "E0109", ".b", "flow a = b | keep(.a, .b)"),
    ("flow a = b | set(x: 1, , y: 2)", "E0113", ",", None),
    ("flow a = b\n  keep(.a)", "E0117", "keep", "flow a = b\n  | keep(.a)"),
    ("flow a = b | | c", "E0113", "|", None),
    # brackets
    ("flow a = b\n  | ask(p, using: g\n  | unnest(.x)", "E0104", "(",
     "flow a = b\n  | ask(p, using: g)\n  | unnest(.x)"),
    ("flow a = b | ask(p, using: [g)", "E0110", ")", None),
    ("flow a = b | ask([p), using: g)", "E0110", ")", None),
    ("flow a = b | c)", "E0111", ")", "flow a = b | c"),
    ("type A = {\n  a: str", "E0104", "{", "type A = {\n  a: str}"),
    ("def f(x: int) -> int = " + "(" * 101 + "1" + ")" * 101, "E0119", "(", None),
    # the end, declarations and column 1
    ("param x: int =", "E0105", "=", None),
    ("import std.text as", "E0105", "s", None),
    ('import "./a.dpipe"', "E0105", '"./a.dpipe"', 'import "./a.dpipe" as a'),
    ('sorce docs = text("a")', "E0114", "sorce", 'source docs = text("a")'),
    ("docs flow = a", "E0114", "docs", "flow docs = a"),
    ("x = 3", "E0114", "x", None),
    ("flow a = b\n seeds: Seed = jsonl(1)", "E0114", "seeds", None),
    ("flow a = b\ndpipe 1", "E0114", "dpipe", None),
    ("metric m(a: int) = python(1)", "E0114", "metric", None),
    ("flow a = b\n| c", "E0115", "|", "flow a = b\n  | c"),
    ('prompt p() -> str {\nuser: "x"\n}', "E0115", "user", 'prompt p() -> str {\n  user: "x"\n}'),
    ("flow a = b\n  flow c = d", "E0115", "flow", "flow a = b\nflow c = d"),
    ("def f(x: int): int = x", "E0113", ":", "def f(x: int)-> int = x"),
    ("def f(x: int) -> int = if x then 1", "E0105", "1", None),
    ("flow a = $b", "E0100", "$", None),
    ("flow a = b | f(.5)", "E0123", ".5", "flow a = b | f(0.5)"),
    ("param x: int = " + "9" * 400, "E0123", "9" * 400, None),
    ("param x: float = 1e999", "E0123", "1e999", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "marked", "mended"), MISTAKES)
def test_a_mistake_is_told_once_at_its_place_and_its_fix_mends_it(
    text: str, code: str, marked: str, mended: str | None
) -> None:
    _, found, source = parsed(text)
    [finding] = found
    assert finding.code == code
    assert source.text[finding.span.start : finding.span.end] == marked
    if mended is None:
        assert not finding.fixes
        return
    after = applied(source, finding)
    assert after == f"dpipe 1\n{mended}\n"
    again = Bag()
    parse_module(Source("t", after), again)
    assert list(again) == []


@pytest.mark.parametrize(("text", "code", "marked", "mended"), MISTAKES)
def test_no_message_speaks_of_the_parser(
    text: str, code: str, marked: str, mended: str | None
) -> None:
    _, [finding], _ = parsed(text)
    words = " ".join((finding.message, finding.help or "", *(f.title for f in finding.fixes)))
    for term in ("LPAR", "RBRACE", "STRING", "NAME", "KEY", "ERROR", "$END", "Token", "None"):
        assert term not in words
    assert finding.message[0] == finding.message[0].lower()


def test_two_mistakes_far_apart_are_both_told() -> None:
    _, found, _ = parsed("flow a = b | keep(.a .b) | c(x: 1) | where(.a = 3)")
    assert [finding.code for finding in found] == ["E0109", "E0107"]


def test_a_mistake_in_one_declaration_leaves_the_others_alone() -> None:
    module, found, _ = parsed("flow a = ) ( ]\nflow b = c\nmodel d = openai(1 2\nflow e = f")
    assert [type(item).__name__ for item in module.items][1::2] == ["FlowItem", "FlowItem"]
    assert len(found) <= 3


def test_a_broken_declaration_still_declares_its_name() -> None:
    for text, name in [
        ("flow a = | | |", "a"),
        ("model m = openai(", "m"),
        ("prompt p(", "p"),
        ("type T = {", "T"),
        ("param n: ", "n"),
        ("source s: = x", "s"),
        ("def f = = =", "f"),
        ("sink o", "o"),
    ]:
        module, found, _ = parsed(text)
        [item] = module.items
        assert not isinstance(item, syntax.TestItem)
        assert item.name is not None, text
        assert item.name.text == name
        assert found


def test_what_did_not_parse_is_a_bad_node_among_good_ones() -> None:
    module, _, _ = parsed("flow a = b | ask(p, using: , as: .x) | c")
    [flow] = module.items
    assert isinstance(flow, syntax.FlowItem)
    ask, after = flow.value.stages
    assert isinstance(ask.call, syntax.Call)
    assert [arg.label and arg.label.text for arg in ask.call.args] == [None, "using", "as"]
    assert isinstance(ask.call.args[1].value, syntax.BadExpr)
    assert isinstance(after.call, syntax.NameRef)


def test_an_unclosed_bracket_is_the_one_whose_closing_line_is_another_brackets() -> None:
    text = """flow a = b
  | ask(
      p(
        x: 1,
      using: g,
    )
  | c"""
    _, [finding], source = parsed(text)
    assert finding.code == "E0104"
    assert source.position(finding.span.start) == (4, 8)


def test_an_unclosed_bracket_shows_where_it_opened_and_where_the_stage_starts() -> None:
    _, [finding], _ = parsed("flow a = b\n  | ask(p, using: g\n  | c")
    assert [label.message for label in finding.labels] == ["opened here", "stage starts here"]
    assert finding.help == "add `)` before this stage"


def test_near_placeholders_are_a_warning_where_placeholders_work() -> None:
    _, found, _ = parsed('prompt p(a: str) -> str { user: "{ a } {a[0]} {{a}} {a}" }')
    assert [(finding.code, finding.severity) for finding in found] == [("W0407", "warning")] * 3
    _, found, _ = parsed('type T = { "{ a }": "{ b }" "{ c }" }')
    assert found == []


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("[", "]"), ("{ a: ", "}"), ("f(", ")")]
)
def test_brackets_nest_a_hundred_deep(opening: str, closing: str) -> None:
    _, found, _ = parsed(f"def f(x: int) -> int = {opening * 100}1{closing * 100}")
    assert found == []


@pytest.mark.parametrize(
    "body", ["1" + " + 1" * 5000, "not " * 5000 + "a", "a" + ".b" * 5000, "x -> " * 5000 + "1"]
)
def test_what_is_too_deep_for_recursion_is_told_and_not_read(body: str) -> None:
    module, found, _ = parsed(f"def f(x: int) -> int = {body}\nflow a = b")
    assert [finding.code for finding in found] == ["E0119"]
    assert isinstance(module.items[0], syntax.BadItem)
    assert isinstance(module.items[1], syntax.FlowItem)


# -- many programs -------------------------------------------------------------------------------


def _mutations() -> ModuleType:
    """The generator that `bench/mutations.py` prints figures of."""
    spec = importlib.util.spec_from_file_location("mutations", ROOT / "bench" / "mutations.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = found
    spec.loader.exec_module(found)
    return found


def test_one_wrong_token_gives_one_diagnostic_near_it() -> None:
    mutations = _mutations()
    outcomes = [mutations.judge(mutant) for mutant in mutations.mutants(500, seed=7)]
    wrong = [outcome for outcome in outcomes if outcome.found]
    assert len(wrong) > 400
    assert sum(len(outcome.found) == 1 for outcome in wrong) / len(wrong) > 0.96
    assert sum(len(outcome.found) <= 2 for outcome in wrong) / len(wrong) > 0.99
    assert sum(outcome.near for outcome in wrong) / len(wrong) > 0.98


def test_blank_lines_and_comments_move_diagnostics_and_change_none() -> None:
    mutations = _mutations()
    for mutant in mutations.mutants(60, seed=3):
        moved = "# first\n\n" + mutant.text.replace("\n\nflow", "\n\n\n# more\n\nflow")
        before, after = Bag(), Bag()
        parse_module(Source("t", mutant.text), before)
        parse_module(Source("t", moved), after)
        assert [d.message for d in before] == [d.message for d in after]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="dpipe 1flowxask(){}[]|:,=.\"'\n\\#->?+", max_size=120))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    parse_module(Source("t", text), Bag())
    parse_module(Source("t", f"dpipe 1\nflow x = {text}"), Bag())


def test_no_order_of_real_tokens_makes_the_parser_fail() -> None:
    chance = random.Random(11)
    words = " ".join(path.read_text("utf-8") for path in PROGRAMS).split()
    for _ in range(100):
        text = " ".join(chance.choice(words) for _ in range(60))
        parse_module(Source("t", f"dpipe 1\nflow x = {text}"), Bag())


@pytest.mark.parametrize(
    "text",
    ["", "$" * 20_000, "'" * 20_000, "(" * 20_000, "a b " * 5_000, "\n" * 50_000, '"' * 20_001],
)
def test_junk_is_told_in_few_words(text: str) -> None:
    bag = Bag()
    parse_module(Source("t", f"dpipe 1\nflow a = {text}"), bag)
    assert 1 <= len(bag) <= 200
