"""The one layout: where lines break, what comments do, and that nothing else changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dpipe.lang.diagnostics import Bag
from dpipe.lang.format import FormatRefused, format_text
from dpipe.lang.parse import parse_module
from dpipe.lang.scan import scan
from dpipe.lang.show import show_tree
from dpipe.lang.source import Source

PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("*.dpipe"))


def formatted(text: str) -> str:
    once = format_text(Source("t", text))
    assert format_text(Source("t", once)) == once
    return once


def body(text: str) -> str:
    """The layout of declarations, without the edition."""
    return formatted(f"dpipe 1\n{text}").removeprefix("dpipe 1\n\n")


def comments(text: str) -> list[str]:
    return sorted(comment.text.rstrip() for comment in scan(Source("t", text)).comments)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_programs_stand_as_they_are(path: Path) -> None:
    text = path.read_text("utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("param a:int=3", "param a: int = 3\n"),
        ("import std.text\nimport  './m'  as m".replace("'",
         '"'), 'import std.text\nimport "./m" as m\n'),
        ("def f( a : int )->int=- a*( b+1 ) [ 0 ]..- 2",
         "def f(a : int) -> int = -a * (b + 1)[0]..-2\n".replace("a :", "a:")),
        ('source s:{a:str,b:"x"|"y"?}=f( )', 'source s: { a: str, b: "x" | "y"? } = f()\n'),
        ("flow a=b|c( x:{},y:[ ],z:v->v.w )", "flow a = b | c(x: {}, y: [], z: v -> v.w)\n"),
        ("flow a = b\n  | c", "flow a = b | c\n"),
        ("flow a = b | c | d", "flow a = b\n  | c\n  | d\n"),
        ("type A={a:str,b:int\"x\"}", 'type A = {\n  a: str\n  b: int "x"\n}\n'),
        ("type A = {}", "type A = {\n}\n"),
        ('prompt p(a:str)->str{system:"a",user:"{a}"}',
         'prompt p(a: str) -> str {\n  system: "a"\n  user: "{a}"\n}\n'),
        ("pipe p(r: flow[A]){flow x=r|a() flow y=x y|b()|c()}",
         "pipe p(r: flow[A]) {\n  flow x = r | a()\n  flow y = x\n  y\n    | b()\n    | c()\n}\n"),
        ("model a = f(\n  1,\n)", "model a = f(\n  1,\n)\n"),
        ("model a = f(1,)", "model a = f(\n  1,\n)\n"),
        ("model a = f(\n  1\n)", "model a = f(1)\n"),
        ("param a: [int] = [1, [2,], 3]", "param a: [int] = [\n  1,\n  [\n    2,\n  ],\n  3,\n]\n"),
        ("model a = f([1,])", "model a = f([\n  1,\n])\n"),
        ("model a = f(x: [1,])", "model a = f(\n  x: [\n    1,\n  ],\n)\n"),
        ("test \"t\"{given:{a:[]},expect:x in[1]}",
         'test "t" {\n  given: { a: [] }\n  expect: x in [1]\n}\n'),
        ("extern metric m(a:[float])->float=python( 'x' )".replace("'",
         '"'), 'extern metric m(a: [float]) -> float = python("x")\n'),
    ],
)  # fmt: skip
def test_a_declaration_has_one_layout(text: str, expected: str) -> None:
    assert body(text) == expected


def test_one_blank_line_stands_between_declarations_and_none_is_needed_between_like_ones() -> None:
    text = (
        "param a: int\nparam b: int\n\n\n\nparam c: int\nflow d = e\n"
        "type T = { a: int }\ntype U = int"
    )
    assert body(text) == (
        "param a: int\nparam b: int\n\nparam c: int\n\nflow d = e\n\n"
        "type T = {\n  a: int\n}\n\ntype U = int\n"
    )


def test_blank_lines_inside_a_bracket_are_kept_as_one_but_never_first() -> None:
    text = "type T = {\n\n\n  a: int\n\n\n  b: int\n\n}"
    assert body(text) == "type T = {\n  a: int\n\n  b: int\n}\n"


def test_lines_hold_a_hundred_columns() -> None:
    fits = f"flow a = b | c({'x' * 83})"
    assert len(fits) == 99
    assert body(fits) == f"{fits}\n"
    assert len(f"{fits}yy") == 101
    wide = f"flow a = b | c({'x' * 85})"
    assert body(wide) == f"flow a = b\n  | c({'x' * 85})\n"


def test_a_bracket_that_does_not_fit_stands_an_element_a_line() -> None:
    long = ", ".join(f"argument_number_{n}: {n}" for n in range(6))
    lines = "".join(f"      argument_number_{n}: {n},\n" for n in range(6))
    assert body(f"flow a = b | c({long})") == f"flow a = b\n  | c(\n{lines}    )\n"


def test_the_body_of_a_def_that_does_not_fit_stands_below_it() -> None:
    total = " + ".join(["some_longish_name"] * 5)
    assert body(f"def f(a: int) -> int = {total}") == f"def f(a: int) -> int =\n  {total}\n"


def test_a_long_row_is_broken_before_its_loosest_operator() -> None:
    left, right = "a" * 60, "b" * 60
    assert body(f"def f(a: int) -> bool = {left} + 1 == 2 and {right}") == (
        f"def f(a: int) -> bool =\n  {left} + 1 == 2\n    and {right}\n"
    )
    assert body(f'type T = "{left}" | "{right}"') == f'type T = "{left}"\n  | "{right}"\n'


def test_a_long_string_moves_with_its_program_and_keeps_its_text() -> None:
    text = (
        'prompt p() -> str {\n        user: """\n             a\n               b\n\n'
        '             c  \n             """\n}'
    )
    assert body(text) == (
        'prompt p() -> str {\n  user: """\n    a\n      b\n\n    c  \n    """\n}\n'
    )


# -- comments ------------------------------------------------------------------------------------


def test_comments_stay_where_they_are_between_lines_and_behind_them() -> None:
    text = """# first

# about a
param a: int  # behind a

# about b

flow b = c  # head
  # before d
  | d()  # behind d
  # | e()

type T = {  # opened
  # field
  x: int  # behind x
  # last
}

# end
"""
    assert body(text) == text


def test_a_comment_inside_a_row_moves_above_it() -> None:
    assert body("param a: int =  # why\n  3") == "# why\nparam a: int = 3\n"
    assert body("model a = f(\n  x  # one\n  + y,\n)") == "model a = f(\n  # one\n  x + y,\n)\n"


def test_a_comment_keeps_its_bracket_open() -> None:
    assert body("model a = f(  # why\n  1)") == "model a = f(  # why\n  1,\n)\n"
    assert body("model a = f(\n  # none\n)") == "model a = f(\n  # none\n)\n"


def test_trailing_spaces_behind_comments_go() -> None:
    assert body("param a: int  # b   \n") == "param a: int  # b\n"


# -- what it refuses -----------------------------------------------------------------------------


def test_a_program_that_does_not_parse_is_refused_with_its_diagnostics() -> None:
    with pytest.raises(FormatRefused) as refused:
        format_text(Source("t", "dpipe 1\nflow a = (\n"))
    assert [finding.severity for finding in refused.value.diagnostics] == ["error"]


def test_a_warning_is_no_reason_to_refuse() -> None:
    text = 'dpipe 1\n\nprompt p() -> str {\n  user: "{ a }"\n}\n'
    assert formatted(text) == text


# -- many programs -------------------------------------------------------------------------------


def _commented(text: str, chance: random.Random) -> str:
    """The program with comments put behind and below some of its tokens."""
    tokens = scan(Source("t", text)).tokens
    for index in sorted(chance.sample(range(2, len(tokens) - 1), 5), reverse=True):
        if tokens[index + 1].type in ("COLON", "ATTR"):
            continue
        at = tokens[index].end
        gap = chance.choice(["  ", "\n   ", "\n\n   ", "\n\n"])
        after = chance.choice(["\n    ", "\n\n    "])
        text = f"{text[:at]}{gap}# note {index}{after}{text[at:]}"
    return text


def _respaced(text: str, chance: random.Random) -> str:
    """The program with other white space between the tokens of its declarations."""
    out, end = "", 0
    for token in scan(Source("t", text)).tokens:
        gap = text[end : token.start]
        if gap and (not gap.endswith("\n") or token.text in ")]}"):
            gap = chance.choice([" ", "  ", "\n  ", "\n\n     "])
        out, end = f"{out}{gap}{token.text}", token.end
    return f"{out}\n"


def _bare_tree(text: str) -> list[str]:
    """The tree without places."""
    bag = Bag()
    tree = show_tree(parse_module(Source("t", text), bag))
    assert not bag.has_errors
    return [line.rpartition(" ")[0] for line in tree.splitlines()]


@pytest.mark.parametrize("seed", range(8))
def test_comments_anywhere_are_all_kept_and_the_second_time_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    for path in PROGRAMS:
        text = _commented(path.read_text("utf-8"), chance)
        after = formatted(text)
        assert comments(after) == comments(text)
        assert _bare_tree(after) == _bare_tree(text)


@pytest.mark.parametrize("seed", range(4))
def test_white_space_between_tokens_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    for path in PROGRAMS:
        text = _respaced(path.read_text("utf-8"), chance)
        assert _bare_tree(formatted(text)) == _bare_tree(text)


def test_an_if_breaks_alike_where_its_list_was_broken_before() -> None:
    test = "same_answer(.question_of_the_first_round, .question_of_the_second_round)"
    records = ", ".join(f'{{ name: "number {n}", value: {n} }}' for n in range(4))
    found = body(f"def f(x: int) -> [Item] = if {test} then xs else [{records}]")
    assert "\n    then xs\n    else [\n" in found
