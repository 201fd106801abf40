"""Text to tokens: classes by shape, comments aside, nothing ever fails."""

from __future__ import annotations

import random
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Lark

from dpipe.lang import strings
from dpipe.lang.scan import scan
from dpipe.lang.source import Source

PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("*.dpipe"))


def kinds(text: str) -> list[str]:
    return [token.type for token in scan(Source("t", text)).tokens]


def texts(text: str) -> list[str]:
    return [token.text for token in scan(Source("t", text)).tokens]


def codes(text: str) -> list[str]:
    return [finding.code for finding in scan(Source("t", text)).diagnostics]


# -- classes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_tokens_are_those_of_the_grammar(path: Path) -> None:
    grammar = (resources.files("dpipe.lang") / "grammar.lark").read_text("utf-8")
    lark = Lark(grammar, parser="lalr", lexer="basic")
    text = path.read_text("utf-8")
    theirs = [(token.type, str(token), token.start_pos) for token in lark.lex(text)]
    ours = [(token.type, token.text, token.start) for token in scan(Source("t", text)).tokens]
    assert ours == theirs


def test_a_name_before_a_colon_is_a_key_even_if_a_keyword() -> None:
    assert kinds("type: model : x") == ["KEY", "COLON", "KEY", "COLON", "NAME"]


def test_a_quoted_name_before_a_colon_is_a_key() -> None:
    assert kinds('"a b": "c"') == ["KEY", "COLON", "STRING"]


def test_a_dot_directly_behind_something_makes_an_attribute_else_a_field() -> None:
    assert kinds('m.a .b ."c d" (x).type [.y]') == [
        "NAME", "ATTR", "FIELD", "FIELD", "LPAR", "NAME", "RPAR", "ATTR", "LSQB", "FIELD", "RSQB",
    ]  # fmt: skip


def test_two_dots_make_a_range_of_numbers_and_of_fields() -> None:
    assert kinds("1..10 0.1..0.75 .a...b") == [
        "INT", "RANGE", "INT", "FLOAT", "RANGE", "FLOAT", "FIELD", "RANGE", "FIELD",
    ]  # fmt: skip


def test_numbers_may_be_grouped_and_have_exponents() -> None:
    assert kinds("10_000 1e-3 2.5E+2 7") == ["INT", "FLOAT", "FLOAT", "INT"]


def test_names_are_words_of_any_script() -> None:
    assert kinds("größe 漢字 _x") == ["NAME", "NAME", "NAME"]


def test_comments_stand_aside_and_a_hash_in_a_string_is_none() -> None:
    scanned = scan(Source("t", 'a # one\n"# two" # three'))
    assert [comment.text for comment in scanned.comments] == ["# one", "# three"]
    assert [token.text for token in scanned.tokens] == ["a", '"# two"']


def test_a_long_string_goes_on_over_blank_lines_and_single_quotes() -> None:
    assert kinds('"""\n  a "b" ""\n\n  """ x') == ["LONG_STRING", "NAME"]


def test_line_ends_are_one_character_whatever_the_file_has() -> None:
    assert texts("a\r\nb\rc") == ["a", "b", "c"]
    assert scan(Source("t", "a\r\nb")).tokens[1].start == 2


# -- malformed tokens ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "read_as"),
    [
        ("'a \"b\"'", "E0102", ["STRING"]),
        ("`a`", "E0102", ["STRING"]),
        ("“a”", "E0102", ["STRING"]),
        ("f\"a\"", "E0102", ["STRING"]),
        ("a && b", "E0103", ["NAME", "AND", "NAME"]),
        ("a || b", "E0103", ["NAME", "OR", "NAME"]),
        ("!a", "E0103", ["NOT", "NAME"]),
        ("a === b", "E0103", ["NAME", "EQ", "NAME"]),
        ("a !== b", "E0103", ["NAME", "NE", "NAME"]),
        ("a <> b", "E0103", ["NAME", "NE", "NAME"]),
        ("a => b", "E0103", ["NAME", "ARROW", "NAME"]),
        ("a ** b", "E0103", ["NAME", "STAR", "NAME"]),
        ("a // b", "E0103", ["NAME", "SLASH", "NAME"]),
        ("a |> b", "E0103", ["NAME", "VBAR", "NAME"]),
        (".a?.b", "E0103", ["FIELD", "ATTR"]),
        ("\n// note", "E0103", []),
        ("a $ b", "E0100", ["NAME", "NAME"]),
        ("a;", "E0100", ["NAME"]),
        ("a\u00a0b", "E0100", ["NAME", "NAME"]),
        ("\x00", "E0100", []),
        ('"abc', "E0101", ["STRING"]),
        ('f("abc)', "E0101", ["NAME", "LPAR", "STRING", "RPAR"]),
        ('"""\n  abc', "E0101", ["LONG_STRING"]),
        (".5", "E0123", ["FLOAT"]),
        ("1.", "E0123", ["FLOAT"]),
        ("10_", "E0123", ["INT"]),
        ("64rpm", "E0123", ["INT", "NAME"]),
        ('"""abc"""', "E0122", ["LONG_STRING"]),
        ('"""\n  abc"""', "E0122", ["LONG_STRING"]),
        ('"""\n abc\n  """', "E0118", ["LONG_STRING"]),
        (r'"\q"', "E0120", ["STRING"]),
        (r'"\}"', "E0120", ["STRING"]),
        (r'"\u41"', "E0120", ["STRING"]),
        (r'"\u{110000}"', "E0120", ["STRING"]),
        (r'"\u{d800}"', "E0120", ["STRING"]),
    ],
)  # fmt: skip
def test_a_malformed_token_is_told_and_read_as_what_it_means(
    text: str, code: str, read_as: list[str]
) -> None:
    assert code in codes(text)
    assert kinds(text) == read_as


def test_an_unterminated_long_string_ends_before_the_next_thing_in_column_1() -> None:
    assert kinds('x: """\n  text\n}\nflow a') == [
        "KEY", "COLON", "LONG_STRING", "RBRACE", "FLOW", "NAME",
    ]  # fmt: skip


def test_text_of_a_string_in_column_1_is_told_and_the_string_goes_on() -> None:
    assert codes('"""\n  a\nb\n  """ x')[0] == "E0115"
    assert kinds('"""\n  a\nb\n  """ x') == ["LONG_STRING", "NAME"]


def test_a_run_of_stray_characters_is_told_once() -> None:
    assert codes("$$$$ $") == ["E0100", "E0100"]


def test_every_fix_of_a_malformed_token_leaves_none() -> None:
    for text in ("'a'", "a && b", "!a", "a === b", ".a?.b", ".5", "1.", "“a”", r'"\}"'):
        scanned = scan(Source("t", text))
        [finding] = scanned.diagnostics
        [edit] = finding.fixes[0].edits
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        assert codes(mended) == [], text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_no_text_makes_the_scanner_fail_and_tokens_stand_in_order(text: str) -> None:
    source = Source("t", text)
    scanned = scan(source)
    end = 0
    for token in sorted((*scanned.tokens, *scanned.comments), key=lambda token: token.start):
        assert end <= token.start <= token.end <= len(source.text)
        end = token.end


def test_text_of_punctuation_alone_does_not_make_the_scanner_fail() -> None:
    chance = random.Random(1)
    for _ in range(500):
        scan(
            Source(
                "t", "".join(chance.choice("\"'\\{}()[].,:|?!&=<>-+*/%#\n a1") for _ in range(40))
            )
        )


# -- strings -------------------------------------------------------------------------------------


def parts(raw: str) -> list[object]:
    return [
        part if isinstance(part, str) else [word for word, _ in part.path] + ["."] * part.of_row
        for part in strings.parts(raw)
    ]


def test_escapes_are_decoded() -> None:
    assert parts(r'"\n\t\"\\\{\u{1F600}"') == ['\n\t"\\{\U0001f600']


def test_placeholders_are_paths_of_plain_names_in_braces() -> None:
    assert parts('"{a} {b.c}{.d.e}"') == [["a"], " ", ["b", "c"], ["d", "e", "."]]


def test_every_other_brace_is_literal() -> None:
    assert parts('"{\\"a\\": {b}} {} {1} { c }"') == ['{"a": ', ["b"], "} {} {1} { c }"]
    assert parts('"{{b}} {b[0]} \\{b}"') == ["{{b}} {b[0]} {b}"]


def test_the_margin_of_a_long_string_is_that_of_its_closing_quotes() -> None:
    raw = '"""\n    a\n      {b}\n\n    c\n    """'
    assert parts(raw) == ["a\n  ", ["b"], "\n\nc"]


def test_moving_a_long_string_does_not_change_it() -> None:
    lines = ["x", "  y {z}", "", "w"]
    near = '"""\n' + "".join(f"  {line}\n" for line in lines) + '  """'
    far = '"""\n' + "".join(f"        {line}\n" for line in lines) + '        """'
    assert parts(near) == parts(far)


def test_the_empty_string_has_no_parts() -> None:
    assert parts('""') == []
    assert parts('"""\n  """') == []


def test_what_is_nearly_a_placeholder_is_found() -> None:
    raw = '"{ a } {a[0]} {{a}} {a} {"k": 1} {} \\{ a }"'
    assert [raw[f.start : f.end] for f in strings.near_placeholders(raw)] == [
        "{ a }", "{a[0]}", "{{a}}",
    ]  # fmt: skip


def test_placeholders_know_where_they_stand() -> None:
    raw = '"""\n    a {b.c}\n    """'
    hole = next(part for part in strings.parts(raw) if not isinstance(part, str))
    assert raw[hole.start : hole.end] == "{b.c}"
    assert [raw[at : at + len(word)] for word, at in hole.path] == ["b", "c"]
