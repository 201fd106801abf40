"""What expressions mean, row by row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import graph
from dpipe.lang.graph import (
    Attr,
    Binary,
    Call,
    CallDef,
    Const,
    Expr,
    Field,
    If,
    Index,
    Lambda,
    ListOf,
    Local,
    Param,
    Range,
    RecordOf,
    Template,
    Unary,
)
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.values import Row, key_of

A, B = Field("a"), Field("b")


def c(value: Any) -> Expr:
    """A value as an expression."""
    if isinstance(value, list):
        return ListOf(tuple(map(c, value)))
    return Const(value)


def expressions(
    defs: dict[str, graph.Def] | None = None,
    params: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
) -> Expressions:
    return Expressions(defs or {}, params or {}, environ or {})


def value(expr: Expr, **values: Any) -> Any:
    return expressions().over_row(expr)(values)


def no_value(expr: Expr, **values: Any) -> str:
    with pytest.raises(NoValue) as raised:
        value(expr, **values)
    return str(raised.value)


def binary(op: str, left: Any, right: Any) -> Any:
    """The operator on values of the row, so that nothing is folded."""
    return value(Binary(op, A, B), a=left, b=right)


# -- reading -------------------------------------------------------------------------------------


def test_an_absent_optional_field_reads_as_null() -> None:
    assert value(A) is None
    assert value(Attr(Attr(A, "x"), "y")) is None
    assert value(Attr(A, "x"), a="a json text has no fields") is None
    assert value(Attr(A, "x"), a={"x": 1}) == 1


@pytest.mark.parametrize(("at", "found"), [(0, "a"), (2, "c"), (-1, "c"), (-3, "a")])
def test_an_index_counts_from_0_or_from_the_end(at: int, found: str) -> None:
    assert value(Index(A, B), a=["a", "b", "c"], b=at) == found
    assert value(Index(A, B), a="abc", b=at) == found


def test_an_index_outside_has_no_value() -> None:
    assert no_value(Index(A, c(3)), a=["x"]) == "index 3 is outside a list of 1"
    assert no_value(Index(A, c(-2)), a="x") == "index -2 is outside a text of 1"


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(1, 2, "bc"), (0, 0, "a"), (2, 9, "cd"), (-2, -1, "cd"), (0, -2, "abc"), (-9, 1, "ab"),
     (3, 1, ""), (1, -9, ""), (9, 12, "")],
)  # fmt: skip
def test_a_part_has_both_ends_and_is_clipped(low: int, high: int, found: str) -> None:
    part = Index(A, Range(Field("low"), Field("high")))
    assert value(part, a="abcd", low=low, high=high) == found
    assert value(part, a=list("abcd"), low=low, high=high) == list(found)


def test_lists_and_records_are_made_anew_for_each_row() -> None:
    make = expressions().over_row(RecordOf((("x", ListOf((A, c(1)))),)))
    first, second = make({"a": 0}), make({"a": 0})
    assert first == second == {"x": [0, 1]}
    assert first["x"] is not second["x"]


# -- operators -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "left", "right", "result"),
    [
        ("+", 1, 2, 3),
        ("+", "a", "b", "ab"),
        ("+", [1], [2], [1, 2]),
        ("-", 1, 0.5, 0.5),
        ("*", 3, 2, 6),
        ("/", 4, 2, 2.0),
        ("%", 7, 3, 1),
        ("==", 1, 1.0, True),
        ("==", 1, True, False),
        ("!=", {"x": [1]}, {"x": [1.0]}, False),
        ("<", 1, 1.5, True),
        ("<=", "a", "b", True),
        (">", 2, 2, False),
        (">=", 2, 2, True),
        ("in", 1, [True, 1.0], True),
        ("in", None, [1, 2], False),
        ("in", None, [1, None], True),
        ("and", True, False, False),
        ("or", False, True, True),
        ("??", None, 3, 3),
        ("??", False, 3, False),
    ],
)
def test_operators(op: str, left: Any, right: Any, result: Any) -> None:
    for found in (binary(op, left, right), value(Binary(op, c_of(left), c_of(right)))):
        assert found == result
        assert type(found) is type(result)


def c_of(found: Any) -> Expr:
    if isinstance(found, dict):
        return RecordOf(tuple((name, c_of(part)) for name, part in found.items()))
    return c(found)


@pytest.mark.parametrize(
    ("op", "left", "right", "reason"),
    [
        ("/", 1, 0, "division by zero"),
        ("%", 1, 0, "division by zero"),
        ("*", 1e308, 10.0, "a number too large"),
        ("/", 10**400, 3, "a number too large"),
        ("+", "a", 1, "`+` of a text and a number"),
        ("<", "a", 1, "a text cannot be compared with a number"),
        ("<", None, 1, "null cannot be compared with a number"),
        ("<", True, 1, "a truth value cannot be compared with a number"),
        ("<", [1], [2], "a list cannot be compared with a list"),
        ("in", 1, "abc", "`in` needs a list, found a text"),
    ],
)
def test_an_operator_without_a_value_says_why(op: str, left: Any, right: Any, reason: str) -> None:
    assert no_value(Binary(op, A, B), a=left, b=right) == reason
    assert no_value(Binary(op, c(left), c(right))) == reason


@pytest.mark.parametrize(
    ("item", "inside"),
    [(1, True), (3, True), (2.5, True), (4, False), (None, False), ("2", False), (True, False)],
)
def test_a_range_has_both_ends(item: Any, inside: bool) -> None:
    assert value(Binary("in", A, Range(c(1), c(3))), a=item) is inside


def test_unary_operators() -> None:
    assert value(Unary("-", A), a=3) == -3
    assert value(Unary("not", A), a=True) is False


WRONG = Binary("/", c(1), A)


def test_logic_stops_as_soon_as_it_knows() -> None:
    assert value(Binary("and", c(False), WRONG), a=0) is False
    assert value(Binary("or", c(True), WRONG), a=0) is True
    assert value(Binary("??", c(1), WRONG), a=0) == 1
    assert value(If(B, WRONG, c(2)), a=0, b=False) == 2


def test_a_branch_that_a_constant_rules_out_does_not_exist() -> None:
    unset = If(Param("online"), Call("env", (c("URL"), None)), c("here"))
    assert expressions(params={"online": False}).constant(unset) == "here"
    with pytest.raises(UsageError, match="`URL` is not set"):
        expressions(params={"online": True}).constant(unset)


def test_a_constant_without_a_value_fails_only_the_rows_that_need_it() -> None:
    guarded = expressions().over_row(If(A, Binary("/", c(1), c(0)), c(2)))
    assert guarded({"a": False}) == 2
    with pytest.raises(NoValue, match="division by zero"):
        guarded({"a": True})


# -- templates -----------------------------------------------------------------------------------


def test_a_template_renders_its_values() -> None:
    template = Template(("", A, " of ", Param("n"), ": ", B))
    render = expressions(params={"n": 3.0}).over_row(template)
    assert render({"a": "x", "b": ["é", 1]}) == 'x of 3: ["é", 1]'


def test_a_null_in_a_template_is_named() -> None:
    assert no_value(Template(("", A))) == "`.a` is null"
    assert no_value(Template(("", Attr(Attr(A, "b"), "c"))), a={}) == "`.a.b.c` is null"


# -- functions, lambdas, defs --------------------------------------------------------------------


def test_a_lambda_sees_its_value_the_row_and_the_lambdas_around() -> None:
    inner = Lambda("y", Binary("+", Binary("*", Local("x"), Local("y")), B))
    nested = Call("map", (A, Lambda("x", Call("sum", (A, inner)))))
    assert value(nested, a=[1, 2], b=10) == [23, 26]


def test_a_lambdas_variable_hides_the_one_around() -> None:
    hides = Call("map", (A, Lambda("x", Call("map", (c([5]), Lambda("x", Local("x")))))))
    assert value(hides, a=[1, 2]) == [[5], [5]]


def test_a_lambda_over_constants_is_evaluated_before_the_run() -> None:
    squares = Call("map", (Param("xs"), Lambda("x", Binary("*", Local("x"), Local("x")))))
    squared = expressions(params={"xs": [2, 3]}).over_row(squares)
    assert squared({}) is squared({})
    assert squared({}) == [4, 9]


def test_arguments_may_be_left_out() -> None:
    assert value(Call("max", (A, None)), a=[1, 3, 2]) == 3


def test_a_def_sees_its_parameters_alone() -> None:
    defs = {
        "twice": graph.Def("twice", ("x",), Binary("+", Local("x"), Local("x"))),
        "sum3": graph.Def(
            "sum3",
            ("x", "y", "z"),
            Binary("+", Local("x"), Binary("+", Local("y"), CallDef("twice", (Local("z"),)))),
        ),
    }
    of_row = expressions(defs).over_row(CallDef("sum3", (A, c(10), CallDef("twice", (A,)))))
    assert of_row({"a": 1}) == 15


def test_defs_that_call_one_another_often_compile_once_each() -> None:
    defs = {
        f"f{n}": graph.Def(
            f"f{n}",
            ("x",),
            Binary("+", CallDef(f"f{n + 1}", (Local("x"),)), CallDef(f"f{n + 1}", (Local("x"),))),
        )
        for n in range(12)
    }
    defs["f12"] = graph.Def("f12", ("x",), Local("x"))
    assert expressions(defs).over_row(CallDef("f0", (A,)))({"a": 1}) == 4096


def test_a_bad_constant_pattern_is_told_before_the_run() -> None:
    with pytest.raises(UsageError, match=r"`\(` is not a regular expression"):
        expressions().over_row(Call("matches", (A, c("("))))


def test_a_bad_pattern_of_a_row_fails_that_row() -> None:
    find = expressions().over_row(Call("extract", (A, B)))
    assert find({"a": "x1", "b": r"\d"}) == "1"
    with pytest.raises(NoValue, match="not a regular expression"):
        find({"a": "x1", "b": "("})


def test_bodies_and_functions_see_their_locals_in_order() -> None:
    minus = Binary("-", Local("x"), Local("y"))
    assert expressions().body(minus, ("x", "y"))((5, 3)) == 2
    plus_field = Lambda("v", Binary("+", Local("v"), A))
    assert expressions().function(plus_field)({"a": 1}, 2) == 3


def test_what_no_row_comes_to_is_not_worked_out_before_the_run() -> None:
    word = graph.Param("word")
    long = Binary(">", Call("len", (word,)), Const(3))
    found = Call("matches", (A, word))
    guarded = Binary("and", Binary("!=", word, Const(None)), Binary("or", long, found))
    assert expressions(params={"word": None}).over_row(guarded)({"a": "b"}) is False


# -- chance --------------------------------------------------------------------------------------

PICKS = ListOf((Call("pick", (A,)), Call("pick", (A,))))


def rows(count: int, size: int) -> list[Row]:
    return [Row({"a": list(range(size))}, key_of(str(n)), f"f:{n}") for n in range(count)]


def test_picks_hang_on_the_row_and_the_salt_alone() -> None:
    pick = expressions().over(PICKS, b"stage")
    forwards = [pick(row) for row in rows(20, 100)]
    backwards = [pick(row) for row in reversed(rows(20, 100))]
    assert (
        forwards
        == backwards[::-1]
        == [expressions().over(PICKS, b"stage")(r) for r in rows(20, 100)]
    )
    assert forwards != [expressions().over(PICKS, b"another")(row) for row in rows(20, 100)]


def test_two_picks_on_one_row_are_independent() -> None:
    pick = expressions().over(PICKS, b"stage")
    counts = Counter(tuple(pick(row)) for row in rows(1000, 2))
    assert len(counts) == 4
    assert all(180 < count < 320 for count in counts.values())


def test_picks_inside_defs_and_lambdas_draw_anew_each_time() -> None:
    defs = {"one": graph.Def("one", ("xs",), Call("pick", (Local("xs"),)))}
    many = Call("map", (A, Lambda("x", CallDef("one", (A,)))))
    picked = expressions(defs).over(many, b"stage")(rows(1, 50)[0])
    assert len(set(picked)) > 20


def test_a_pick_needs_a_rows_identity() -> None:
    with pytest.raises(ValueError, match="identity"):
        expressions().over_row(PICKS)


# -- against Python ------------------------------------------------------------------------------

NUMBERS = st.integers(-20, 20)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_constants_fold_to_what_rows_give(x: int, y: int, z: int) -> None:
    def formula(a: Expr, b: Expr, d: Expr) -> Expr:
        return If(Binary("<", a, b), Binary("+", Binary("*", a, b), d), Unary("-", d))

    folded = value(formula(c(x), c(y), c(z)))
    assert folded == value(formula(A, B, Field("d")), a=x, b=y, d=z)
    assert folded == (x * y + z if x < y else -z)
