"""What the built-in functions give."""

from __future__ import annotations

import json
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import functions
from dpipe.runtime.equality import equal, frozen
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.functions import FUNCTIONS
from dpipe.runtime.render import render

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 0.5, "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


def test_every_function_of_the_language_has_its_code() -> None:
    assert set(FUNCTIONS) == {*functions.FUNCTIONS, "zip"}


def call(name: str, *args: Any) -> Any:
    return FUNCTIONS[name](*args)


# -- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, [2.0]], [1.0, [2]], True),
        ([1], [True], False),
        ({"a": 1, "b": None}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 0}, False),
        ("1", 1, False),
        (None, False, False),
        ((1, 2), [1, 2], True),
    ],
)
def test_equality_is_structural_and_a_bool_is_no_number(a: Any, b: Any, same: bool) -> None:
    assert equal(a, b) is same
    assert (frozen(a) == frozen(b)) is same


@given(VALUES, VALUES)
def test_frozen_values_are_equal_exactly_where_the_values_are(a: Any, b: Any) -> None:
    assert equal(a, b) == (frozen(a) == frozen(b))
    assert equal(a, a)


# -- rendering -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as is", "as is"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (True, "true"),
        ([1, "é"], '[1, "é"]'),
        ({"a": None}, '{"a": null}'),
    ],
)
def test_values_render_in_their_shortest_form(value: Any, text: str) -> None:
    assert render(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_rendered_number_keeps_its_value(number: float) -> None:
    assert float(render(number)) == number


def test_null_and_bytes_have_no_text() -> None:
    for value in (None, b"\x89PNG", [b"x"]):
        with pytest.raises(NoValue):
            render(value)


# -- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("map", ([1, 2], lambda x: x + 1), [2, 3]),
        ("filter", ([1, 2, 3], lambda x: x > 1), [2, 3]),
        ("any", ([False, True], None), True),
        ("any", ([], None), False),
        ("every", ([], None), True),
        ("every", ([1, 2], lambda x: x > 1), False),
        ("count", ([True, False, True], None), 2),
        ("count", ([1, 2, 3], lambda x: x > 1), 2),
        ("mean", ([1, 2], None), 1.5),
        ("sum", ([], None), 0),
        ("sum", ([0.1] * 10, None), 1.0),
        ("sum", ([1, 2], lambda x: x * 2), 6),
        ("min", ([3, 1, 2], None), 1),
        ("max", (["a", "b"], None), "b"),
        ("max", ([{"n": 1}, {"n": 4}], lambda x: x["n"]), 4),
        ("max_by", ([{"n": 1}, {"n": 4}], lambda x: x["n"]), {"n": 4}),
        ("min_by", ([(1, "a"), (1, "b")], lambda x: x[0]), (1, "a")),
        ("first", ([1, 2],), 1),
        ("last", ([1, 2],), 2),
        ("mode", (["b", "a", "a", "b"], None), "b"),
        ("mode", ([1, True, 1.0], None), 1),
        ("sort_by", ([3, 1, 2], None), [1, 2, 3]),
        ("distinct", ([1, 2, 1.0, True],), [1, 2, True]),
        ("len", ([1, 2],), 2),
        ("len", ("né",), 2),
        ("zip", ({"a": [1, 2], "b": ["x", "y"]},), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("join", (["a", 2, True], ", "), "a, 2, true"),
        ("join", (["a", "b"], None), "ab"),
        ("pick", (["a", "b"], 0.5), "b"),
    ],
)
def test_list_functions(name: str, args: tuple[Any, ...], result: Any) -> None:
    assert call(name, *args) == result


@pytest.mark.parametrize("name", ["mean", "min", "max", "first", "last", "mode"])
def test_an_empty_list_has_no_value_and_the_reason_names_the_function(name: str) -> None:
    with pytest.raises(NoValue, match=f"`{name}` of an empty list"):
        call(name, [])


def test_pick_of_an_empty_list_has_no_value() -> None:
    with pytest.raises(NoValue, match="`pick` of an empty list"):
        call("pick", [], 0.5)


def test_lists_of_different_kinds_have_no_least_element() -> None:
    with pytest.raises(NoValue, match="a number and a text have no order"):
        call("min", [1, "a"])


def test_zip_of_lists_of_different_lengths_loses_nothing_silently() -> None:
    with pytest.raises(NoValue, match="lists of 1 and 2 elements"):
        call("zip", {"a": [1], "b": [1, 2]})


# -- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("trim", (" a\n",), "a"),
        ("lower", ("É",), "é"),
        ("upper", ("é",), "É"),
        ("contains", ("abc", "b"), True),
        ("starts_with", ("abc", "ab"), True),
        ("ends_with", ("abc", "ab"), False),
        ("matches", ("a12", r"\d+"), True),
        ("extract", ("score: 12!", r"score: (\d+)"), "12"),
        ("extract", ("score: 12!", r"\d+"), "12"),
        ("extract", ("none", r"\d+"), None),
        ("replace", ("a.b.c", ".", "-"), "a-b-c"),
        ("split_text", ("a, b", ", "), ["a", "b"]),
        ("words", ("Don't re-use 3 words.",), ["Don't", "re-use", "3", "words"]),
        ("words", ("我爱 LLM 模型",), ["我", "爱", "LLM", "模", "型"]),
    ],
)
def test_text_functions(name: str, args: tuple[Any, ...], result: Any) -> None:
    assert call(name, *args) == result


@pytest.mark.parametrize(
    ("name", "args"),
    [("replace", ("a", "", "b")), ("split_text", ("a", "")), ("matches", ("a", "("))],
)
def test_texts_without_a_result_have_no_value(name: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(NoValue):
        call(name, *args)


# -- conversions and numbers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("str", (3.0,), "3"),
        ("int", (" -12 ",), -12),
        ("int", ("12.0",), 12),
        ("int", (-3.7,), -3),
        ("int", ("90071992547409931",), 90071992547409931),
        ("float", ("1e-3",), 0.001),
        ("float", (2,), 2.0),
        ("bool", ("False",), False),
        ("bool", ("yes",), True),
        ("bool", (0,), False),
        ("json", ('{"a": [1, null]}',), {"a": [1, None]}),
        ("round", (2.5, None), 3),
        ("round", (-2.5, None), -3),
        ("round", (2.675, 2), 2.68),
        ("round", (1234.0, -2), 1200.0),
        ("abs", (-3,), 3),
        ("cosine", ([1, 0], [2, 0]), 1.0),
        ("cosine", ([1, 0], [0, 3]), 0.0),
    ],
)
def test_conversions_and_numbers(name: str, args: tuple[Any, ...], result: Any) -> None:
    found = call(name, *args)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("int", "x"),
        ("int", "1.5"),
        ("int", None),
        ("float", "nan"),
        ("float", "inf"),
        ("float", "1_000"),
        ("float", 10**400),
        ("float", ""),
        ("bool", "maybe"),
        ("bool", None),
        ("json", "{"),
        ("str", None),
    ],
)
def test_what_cannot_be_converted_has_no_value(name: str, value: Any) -> None:
    with pytest.raises(NoValue):
        call(name, value)


def test_the_reason_shows_the_text_that_is_no_number() -> None:
    with pytest.raises(NoValue, match=r'^`int` of "twelve"$'):
        call("int", "twelve")


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([0.0], [1.0])])
def test_cosine_needs_two_directions_of_one_length(a: list[float], b: list[float]) -> None:
    with pytest.raises(NoValue):
        call("cosine", a, b)


@given(VALUES, VALUES)
def test_hashes_are_equal_exactly_where_values_are(a: Any, b: Any) -> None:
    assert (call("hash", a) == call("hash", b)) == equal(a, b)


def test_a_hash_is_the_same_in_every_run() -> None:
    assert call("hash", "dpipe") == call("hash", "dpipe") == "608f1af946a32663"


@given(st.floats(-1e6, 1e6))
def test_a_rounded_number_is_near(number: float) -> None:
    assert isclose(call("round", number, 2), number, abs_tol=0.00500001)


# -- answers -------------------------------------------------------------------------------------

SAME = [
    ("1,000", "1000.0"),
    ("1/2", "0.5"),
    (0.5, r"\dfrac{1}{2}"),
    (0.1 + 0.2, "0.3"),
    (12, "12.00"),
    (True, "True"),
    ("$5", "5 dollars"),
    ("50%", r"50\%"),
    ("5 cm", "5"),
    ("10 cm^2", r"10 \text{ cm}^2"),
    (r"\boxed{\frac{3}{4}}", "0.75"),
    (r"First \boxed{1}, then $\boxed{\text{(B)}}$.", "B"),
    ("(B)", "b."),
    ("(B) Paris", "B"),
    ("**Paris**", "paris."),
    ("**Answer:** (B) 12", "b"),
    ("Paris!!", "paris"),
    ("The answer is 42.", "42"),
    ("#### 42", "42"),
    ("答案是：４２", "42"),
    ("３，０００元", "3000"),
    ("三点。", "三点"),
    ("$x = 5$", "5"),
    (r"1\frac{1}{2}", "1.5"),
    (r"1.5\times10^{3}", "1500"),
    ("3万", "30000"),
    ("(1, 1/2)", "(1.0,0.5)"),
    (r"90^\circ", "90°"),
    ("−3", "-3"),
    ("x + 1", "x+1"),
    ("New  York", "new york"),
]
DIFFERENT = [
    ("12 am", "12 pm"),
    ("5x", "5"),
    ("5n", "5"),
    ("A", "B"),
    ("an apple", "A"),
    ("1/3", "0.333"),
    ("1,00", "100"),
    ("(1,2)", "(2,1)"),
    ("1e99999999", "0"),
    ("1/0", "0"),
    ("2 or 3", "2"),
    ("2**3", "23"),
    ("5!", "5"),
    ("(a)+(b)", "a"),
    ("3 million", "3"),
    ("", "0"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_answers_that_a_grader_takes_for_one(a: Any, b: Any) -> None:
    assert call("same_answer", a, b)
    assert call("normal_answer", a) == call("normal_answer", b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_answers_that_a_grader_tells_apart(a: Any, b: Any) -> None:
    assert not call("same_answer", a, b)


ANSWERS = st.one_of(
    st.text(max_size=12),
    st.text("0123456789.,/$%()[]{}eE-+ \\abxm°。", max_size=14),
    st.sampled_from([str(answer) for pair in SAME + DIFFERENT for answer in pair]),
)


@given(ANSWERS)
def test_a_normal_answer_is_its_own_normal_answer(answer: str) -> None:
    normal = call("normal_answer", answer)
    assert call("normal_answer", normal) == normal


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**4))
def test_a_fraction_and_its_decimal_are_one_answer(above: int, below: int) -> None:
    assert call("same_answer", f"{above}/{below}", rf"\frac{{{above}}}{{{below}}}")
    assert call("same_answer", f"{above / 8:,}", f"{above}/8")


# -- outside -------------------------------------------------------------------------------------


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(UsageError, match="`LLM_URL` is not set") as raised:
        call("env", {}, "LLM_URL", None)
    assert raised.value.code == "P0003"


def test_a_variable_wins_over_its_default() -> None:
    assert call("env", {"A": "x"}, "A", "y") == "x"
    assert call("env", {}, "A", "y") == "y"


def test_json_functions_and_rendering_agree() -> None:
    value = {"a": [1, "é", None]}
    assert call("json", call("str", value)) == value == json.loads(call("str", value))
