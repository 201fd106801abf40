"""Tokens to nodes: every form of the language, where things stand, and the tables."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from lark import Lark

from dpipe.lang import syntax, tables
from dpipe.lang.diagnostics import Bag
from dpipe.lang.parse import parse_module
from dpipe.lang.show import show_tokens, show_tree
from dpipe.lang.source import Source, Span
from dpipe.lang.spell import distance, nearest

PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("*.dpipe"))


def module(text: str) -> syntax.Module:
    bag = Bag()
    found = parse_module(Source("t.dpipe", f"dpipe 1\n{text}\n"), bag)
    assert [finding.message for finding in bag] == []
    return found


def item(text: str) -> syntax.Item:
    [only] = module(text).items
    return only


def expression(text: str) -> syntax.Expr:
    found = item(f"def f(a: int) -> int = {text}")
    assert isinstance(found, syntax.DefItem)
    return found.body


def type_of(text: str) -> syntax.TypeExpr:
    found = item(f"type X = {text}")
    assert isinstance(found, syntax.TypeItem)
    return found.type


def shape(node: object) -> object:
    """A node as a nested tuple, without places."""
    match node:
        case syntax.NameRef(text=text):
            return text
        case syntax.FieldRef(text=text):
            return f".{text}"
        case syntax.Literal(value=value):
            return value
        case syntax.StringExpr() if node.constant is not None:
            return repr(node.constant)
        case syntax.Attr(of=of, name=name):
            return ("attr", shape(of), name.text)
        case syntax.Binary(op=op, left=left, right=right):
            return (op, shape(left), shape(right))
        case syntax.Unary(op=op, operand=operand):
            return (op, shape(operand))
        case syntax.Call(callee=callee, args=args):
            named = [(a.label.text, shape(a.value)) if a.label else shape(a.value) for a in args]
            return ("call", shape(callee), *named)
        case syntax.Index(of=of, index=index):
            return ("index", shape(of), shape(index))
        case syntax.If(test=test, then=then, otherwise=otherwise):
            return ("if", shape(test), shape(then), shape(otherwise))
        case syntax.Lambda(param=param, body=body):
            return ("->", param.text, shape(body))
        case syntax.ListExpr(items=items):
            return [shape(one) for one in items]
        case syntax.RecordExpr(entries=entries):
            return {entry.key.text: shape(entry.value) for entry in entries}
    raise AssertionError(node)


# -- the programs and the grammar ----------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_program_parses_without_a_word(path: Path) -> None:
    bag = Bag()
    found = parse_module(Source(path.name, path.read_text("utf-8")), bag)
    assert list(bag) == []
    assert found.edition == 1
    assert "Bad" not in show_tree(found)


def test_the_grammar_has_no_conflict() -> None:
    grammar = (resources.files("dpipe.lang") / "grammar.lark").read_text("utf-8")
    Lark(grammar, parser="lalr", lexer="basic", strict=True)


def test_the_kept_tables_are_those_that_are_made_of_the_grammar() -> None:
    assert tables.kept() == tables.made(), "run `scripts/generate`"


def test_tables_of_another_grammar_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = tables._grammar()
    monkeypatch.setattr(tables, "_grammar", lambda: grammar.replace("RANGE", "SPAN"))
    assert tables.kept() is None
    made = tables.tables.__wrapped__()
    assert "SPAN" in {kind for row in made.states for kind in row}


def test_a_program_is_parsed_without_lark() -> None:
    code = "import sys, dpipe; dpipe.compile(sys.argv[1]); print('lark' in sys.modules)"
    args = [sys.executable, "-c", code, str(PROGRAMS[0])]
    assert subprocess.run(args, capture_output=True, text=True).stdout == "False\n"


def test_a_list_of_many_parts_is_read_in_time_proportional_to_it() -> None:
    items = ", ".join(["1"] * 50_000)
    found = expression(f"[{items}]")
    assert isinstance(found, syntax.ListExpr)
    assert len(found.items) == 50_000


def test_every_span_of_a_node_holds_those_below_it() -> None:
    for path in PROGRAMS:
        found = parse_module(Source("t", path.read_text("utf-8")), Bag())
        stack: list[syntax.Node] = list(found.items)
        while stack:
            node = stack.pop()
            for field in node.__struct_fields__:
                value = getattr(node, field)
                below = (
                    value if isinstance(value, tuple) and not isinstance(value, Span) else [value]
                )
                for child in below:
                    if isinstance(child, syntax.Node):
                        assert node.span.start <= child.span.start <= child.span.end
                        assert child.span.end <= node.span.end
                        stack.append(child)


# -- expressions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", ("+", 1, ("*", 2, 3))),
        ("1 - 2 - 3", ("-", ("-", 1, 2), 3)),
        ("a ?? b ?? c", ("??", "a", ("??", "b", "c"))),
        ("a ?? b + 1", ("??", "a", ("+", "b", 1))),
        ("a + 1..b ?? 2", ("..", ("+", "a", 1), ("??", "b", 2))),
        ("a in 1..2 and b or c", ("or", ("and", ("in", "a", ("..", 1, 2)), "b"), "c")),
        ("not a == b and c", ("and", ("not", ("==", "a", "b")), "c")),
        ("-a.b", ("-", ("attr", "a", "b"))),
        ("- - 1", ("-", ("-", 1))),
        ("(1 + 2) * 3", ("*", ("+", 1, 2), 3)),
        ("f(1, x: 2, y -> y.z)", ("call", "f", 1, ("x", 2), ("->", "y", ("attr", "y", "z")))),
        ("m.f()(x)[0].y", ("attr", ("index", ("call", ("call", ("attr", "m", "f")), "x"), 0), "y")),
        ("xs[1..-1]", ("index", "xs", ("..", 1, ("-", 1)))),
        ("if a then b else if c then d else e", ("if", "a", "b", ("if", "c", "d", "e"))),
        ("[1, 2.5, true, false, null,]", [1, 2.5, True, False, None]),
        ('{ a: 1, "b c": .d }', {"a": 1, "b c": ".d"}),
        ('."any column".type', ("attr", ".any column", "type")),
        ("10_000", 10000),
    ],
)  # fmt: skip
def test_an_expression_binds_as_the_table_says(text: str, expected: object) -> None:
    assert shape(expression(text)) == expected


def test_a_string_holds_its_placeholders_with_their_places() -> None:
    found = expression('"a {b.c} {.d}"')
    assert isinstance(found, syntax.StringExpr)
    text, first, space, second = found.parts
    assert (text, space) == ("a ", " ")
    assert isinstance(first, syntax.Placeholder)
    assert isinstance(second, syntax.Placeholder)
    assert ([name.text for name in first.path], first.of_row) == (["b", "c"], False)
    assert ([name.text for name in second.path], second.of_row) == (["d"], True)
    source = Source("t", 'dpipe 1\ndef f(a: int) -> int = "a {b.c} {.d}"\n')
    assert source.text[first.span.start : first.span.end] == "{b.c}"
    assert source.text[second.path[0].span.start : second.path[0].span.end] == "d"


def test_keys_types_and_descriptions_have_no_placeholders() -> None:
    found = type_of('{ "{a}": str "{b}" c: "{d}" }')
    assert isinstance(found, syntax.RecordType)
    first, second = found.fields
    assert (first.name.text, first.description) == ("{a}", "{b}")
    assert isinstance(second.type, syntax.LiteralType)
    assert second.type.value == "{d}"


def test_names_are_compared_in_nfc() -> None:
    assert shape(expression('."e\u0301"')) == ".\u00e9"


# -- types ---------------------------------------------------------------------------------------


def test_a_union_keeps_its_members_in_order_however_many() -> None:
    found = type_of(" | ".join(f'"{n}"' for n in range(500)))
    assert isinstance(found, syntax.UnionType)
    values = [o.value for o in found.options if isinstance(o, syntax.LiteralType)]
    assert values == [str(n) for n in range(500)]


def test_ranges_of_types_may_be_negative_and_of_floats() -> None:
    found = type_of("-1.5..2")
    assert isinstance(found, syntax.RangeType)
    assert (found.low, found.high) == (-1.5, 2)


def test_types_nest() -> None:
    tree = show_tree(module("type X = [{ a: m.T?, b: flow[{ c: model }] }]"))
    assert [line.split(" ")[-2] if ":" in line else line for line in tree.splitlines()][:1]
    for kind in ("ListType", "RecordType", "OptionalType", "NamedType", "FlowType", "KindType"):
        assert kind in tree


# -- declarations --------------------------------------------------------------------------------


def test_imports_are_dotted_or_of_a_file() -> None:
    first, second, third = module('import std.text\nimport a.b as c\nimport "./m.dpipe" as m').items
    assert isinstance(first, syntax.Import)
    assert isinstance(second, syntax.Import)
    assert isinstance(third, syntax.Import)
    assert ([n.text for n in first.dotted], first.name.text) == (["std", "text"], "text")
    assert (second.name.text, second.path) == ("c", None)
    assert (third.dotted, third.path, third.name.text) == ((), "./m.dpipe", "m")


def test_a_param_has_a_type_a_default_and_help() -> None:
    found = item('param n: int = 3 "how many"')
    assert isinstance(found, syntax.ParamItem)
    assert (found.name.text, shape(found.default), found.help) == ("n", 3, "how many")


def test_a_prompts_parameter_may_be_named_by_a_keyword() -> None:
    found = item(
        'prompt p(type: str, n: int = 3) -> [QA] { system: "a" user: "{type}", user: "b" }'
    )
    assert isinstance(found, syntax.PromptItem)
    assert [param.name.text for param in found.params] == ["type", "n"]
    assert [entry.key.text for entry in found.entries] == ["system", "user", "user"]


def test_a_flow_has_a_head_and_stages_in_order() -> None:
    found = item("flow a: QA = m.docs | b | c.d(x: 1)")
    assert isinstance(found, syntax.FlowItem)
    assert shape(found.value.head) == ("attr", "m", "docs")
    calls = [shape(stage.call) for stage in found.value.stages]
    assert calls == ["b", ("call", ("attr", "c", "d"), ("x", 1))]


def test_a_pipe_has_flows_and_a_result() -> None:
    found = item("pipe p(rows: flow[A], m: model) { flow a = rows | b() flow c: T = a c | d() }")
    assert isinstance(found, syntax.PipeItem)
    assert [flow.name.text for flow in found.flows] == ["a", "c"]
    assert shape(found.result.head) == "c"


def test_externs_name_their_kind_and_may_lack_a_result() -> None:
    first, second = module(
        'extern def f(a: str) -> bool = python("c.py:f")\nextern metric g() = python("c.py:g")'
    ).items
    assert isinstance(first, syntax.ExternItem)
    assert isinstance(second, syntax.ExternItem)
    assert (first.kind, second.kind, second.result) == ("def", "metric", None)


def test_the_closing_bracket_of_a_declaration_may_stand_in_column_1() -> None:
    assert len(module("flow a = b(\n1,\n)".replace("\n1", "\n 1")).items) == 1


def test_newlines_carry_no_meaning() -> None:
    one = module("flow a = b | c(x: 1) | d").items
    two = module("flow\n a\n =\n b\n\n | c(\n x: 1\n )\n |\n d").items
    assert shape_of_flow(one[0]) == shape_of_flow(two[0])


def shape_of_flow(found: syntax.Item) -> object:
    assert isinstance(found, syntax.FlowItem)
    return [shape(found.value.head), *(shape(stage.call) for stage in found.value.stages)]


# -- the first line ------------------------------------------------------------------------------


def first_line(text: str) -> tuple[int | None, list[str], int]:
    bag = Bag()
    found = parse_module(Source("t", text), bag)
    return found.edition, [finding.code for finding in bag], len(found.items)


def test_a_newer_edition_is_told_before_anything_else() -> None:
    assert first_line("dpipe 2\nflow $ = (\n") == (2, ["E0001"], 0)


def test_a_missing_edition_is_told_and_the_rest_is_read() -> None:
    assert first_line("# hello\nparam a: int\n") == (None, ["E0002"], 1)
    assert first_line("") == (None, ["E0002"], 0)


@pytest.mark.parametrize("line", ["dpipe", "dpipe one", "dpipe 0", "dpipe 1.5", 'dpipe "1"'])
def test_a_bad_edition_is_told_once(line: str) -> None:
    assert first_line(f"{line}\nparam a: int\n") == (None, ["E0002"], 1)


def test_the_fix_for_a_missing_edition_mends_it() -> None:
    bag = Bag()
    parse_module(Source("t", "param a: int\n"), bag)
    [finding] = bag
    [edit] = finding.fixes[0].edits
    assert first_line(edit.text + "param a: int\n") == (1, [], 1)


def test_comments_may_stand_before_the_edition() -> None:
    assert first_line("# a\n\n# b\ndpipe 1\n") == (1, [], 0)


# -- printers and names --------------------------------------------------------------------------


def test_tokens_are_shown_with_their_places_and_comments() -> None:
    assert show_tokens(Source("t", "a .b\n# c")) == (
        "1:1\tNAME\t'a'\n1:3\tFIELD\t'.b'\n2:1\tCOMMENT\t'# c'\n"
    )


def test_a_tree_is_shown_indented() -> None:
    assert show_tree(module("flow a = b | c")) == (
        "Module edition=1 0..23\n"
        "  items: FlowItem name=a 8..22\n"
        "    value: FlowExpr 17..22\n"
        "      head: NameRef text='b' 17..18\n"
        "      stages: Stage 19..22\n"
        "        call: NameRef text='c' 21..22\n"
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [("sorce", "source"), ("soruce", "source"), ("flwo", "flow"), ("x", None), ("banana", None)],
)
def test_the_nearest_name_is_within_a_third_of_the_words_length(
    word: str, meant: str | None
) -> None:
    assert nearest(word, ["source", "sink", "flow"]) == meant


def test_a_swap_of_neighbours_is_one_edit() -> None:
    assert (distance("ab", "ba"), distance("abc", "acb"), distance("abc", "abc")) == (1, 1, 0)
