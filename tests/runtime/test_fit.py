"""What fits a type, what it becomes, and how a misfit is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import types
from dpipe.lang.types import BOOL, FLOAT, IMAGE, INT, JSON, STR, Enum, Field, Float, Int, Record
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import fit, from_text, row_fitter

TREE = types.Again(
    name="Tree",
    group=(
        Record((Field("n", INT), Field("below", types.List(types.Again(name="Tree")))), "Tree"),
    ),
)
QA = Record((Field("question", STR), Field("score", types.optional(Int(1, 10)))), name="QA")


def misfit(value: Any, type: types.Type) -> str:
    with pytest.raises(Misfit) as caught:
        fit(value, type)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "type", "fitted"),
    [
        (7.0, INT, 7),
        (7, FLOAT, 7),
        (10, Int(1, 10), 10),
        (0.0, Float(0.0, 1.0), 0.0),
        ("a", Enum(("a", "b")), "a"),
        (None, types.optional(STR), None),
        ((1, 2), types.List(INT), [1, 2]),
        ({"a": [None, {"b": 1}]}, JSON, {"a": [None, {"b": 1}]}),
        (None, JSON, None),
        ("data:image/png;base64,AA==", IMAGE, "data:image/png;base64,AA=="),
        (b"\x89PNG", IMAGE, "data:image/png;base64,iVBORw=="),
        ({"question": "q", "other": 1}, QA, {"question": "q", "score": None}),
        ("x", types.Union((INT, STR)), "x"),
    ],
)
def test_what_fits_comes_back_as_its_type_has_it(value: Any, type: types.Type, fitted: Any) -> None:
    result = fit(value, type)
    assert result == fitted
    assert result.__class__ is fitted.__class__


@pytest.mark.parametrize(
    ("value", "type", "message"),
    [
        (11, Int(1, 10), "expected 1..10, found 11"),
        (True, INT, "expected int, found true"),
        (1, BOOL, "expected bool, found 1"),
        (7.5, INT, "expected int, found 7.5"),
        ("7", INT, 'expected int, found "7"'),
        (float("nan"), FLOAT, "expected float, found nan"),
        (float("inf"), JSON, "expected a JSON value, found inf"),
        (10**400, FLOAT, "expected float, found 1" + "0" * 58 + "…"),
        (None, STR, "expected str, found null"),
        ("c", Enum(("a", "b")), 'expected "a" | "b", found "c"'),
        ([1], QA, "expected QA, found [1]"),
        ({"score": 3}, QA, ".question: expected str, but the field is missing"),
        ({"question": "q", "score": 0}, QA, ".score: expected 1..10, found 0"),
        ([{"question": 1}], types.List(QA), "[0].question: expected str, found 1"),
        ({"a b": {1: 2}}, JSON, '."a b": expected a text as a key, found 1'),
        ({"a": [0, {2}]}, JSON, ".a[1]: expected a JSON value, found [2]"),
        (None, types.Union((INT, STR)), "expected int | str, found null"),
        ("\ud800", STR, "expected text, found the half character '\\ud800'"),
        ("", IMAGE, 'expected an image (a path, a data URL or its bytes), found ""'),
        (
            b"?",
            IMAGE,
            "expected an image (a path, a data URL or its bytes), found bytes of no known kind",
        ),
        ("key", types.SECRET, 'expected secret, found "key"'),
    ],
)
def test_a_misfit_names_the_part_what_was_expected_and_what_was_found(
    value: Any, type: types.Type, message: str
) -> None:
    assert misfit(value, type) == message


def test_deep_nesting_is_json_like_any_other() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert fit(deep, JSON) is deep
    while deep:
        deep = deep.pop()


def test_a_union_of_records_takes_the_one_that_knows_most_fields() -> None:
    narrow = Record((Field("a", INT),))
    wide = Record((Field("a", INT), Field("b", INT)))
    assert fit({"a": 1, "b": 2}, types.Union((narrow, wide))) == {"a": 1, "b": 2}


def test_an_open_record_keeps_unknown_fields() -> None:
    assert fit({"a": 1, "z": 2}, Record((Field("a", INT),), open=True)) == {"a": 1, "z": 2}


def test_a_row_type_that_ends_with_extra_gathers_unknown_columns() -> None:
    fit_row = row_fitter(Record((Field("a", INT), Field("extra", JSON))))
    assert fit_row({"a": 1}) == {"a": 1, "extra": {}}
    assert fit_row({"a": 1, "b": 2}) == {"a": 1, "extra": {"b": 2}}
    assert fit_row({"a": 1, "b": 2, "extra": {"c": 3}}) == {"a": 1, "extra": {"c": 3, "b": 2}}
    assert fit_row({"a": 1, "extra": 5}) == {"a": 1, "extra": {"extra": 5}}
    with pytest.raises(Misfit, match="nan"):
        fit_row({"a": 1, "b": float("nan")})


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("12", INT, 12),
        (" 7.0 ", INT, 7),
        ("1_000", INT, 1000),
        ("-2.5e3", FLOAT, -2500.0),
        ("TRUE", BOOL, True),
        ("false", BOOL, False),
        ("", types.optional(INT), None),
        ("", types.optional(STR), None),
        ("", STR, ""),
        (" a ", STR, " a "),
        ("[1, 2]", types.List(INT), [1, 2]),
        ('{"question": "q"}', QA, {"question": "q", "score": None}),
        ("not json", JSON, "not json"),
        ('{"a": 1}', JSON, {"a": 1}),
        ("7", types.Union((STR, INT)), 7),
        ("seven", types.Union((STR, INT)), "seven"),
    ],
)
def test_text_is_read_as_the_type(text: str, type: types.Type, value: Any) -> None:
    result = from_text(text, type)
    assert result == value
    assert result.__class__ is value.__class__


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("", INT),
        (".", FLOAT),
        ("nan", FLOAT),
        ("1e999", FLOAT),
        ("9" * 5000, INT),
        ("٣", INT),
        ("0x10", INT),
        ("yes", BOOL),
        ("[1,", types.List(INT)),
        ('["a"]', types.List(INT)),
        ("[" * 100_000, types.List(JSON)),
        ("c", Enum(("a", "b"))),
    ],
)
def test_text_that_is_not_of_the_type_misfits(text: str, type: types.Type) -> None:
    with pytest.raises(Misfit, match=r"expected .*, found"):
        from_text(text, type)


def test_cells_are_read_by_their_columns_types() -> None:
    fit_row = row_fitter(QA, text=True)
    assert fit_row({"question": "q", "score": "3"}) == {"question": "q", "score": 3}
    assert fit_row({"question": "q", "score": ""}) == {"question": "q", "score": None}
    with pytest.raises(Misfit, match=r"^\.score: expected 1..10, found 11$"):
        fit_row({"question": "q", "score": "11"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
all_types = st.recursive(
    st.sampled_from([STR, INT, FLOAT, BOOL, JSON, Int(0, 5), Float(0.0, 1.0), Enum(("", "a"))]),
    lambda inner: st.one_of(
        st.builds(types.List, inner),
        st.builds(types.optional, inner),
        st.builds(lambda one: Record((Field("a", one),)), inner),
    ),
    max_leaves=5,
)


@given(json_values, all_types)
def test_fitting_gives_a_value_that_fits_as_it_is_or_a_misfit(value: Any, type: types.Type) -> None:
    try:
        fitted = fit(value, type)
    except Misfit:
        return
    assert fit(fitted, type) == fitted


def test_a_record_that_contains_itself_fits_as_deep_as_it_goes() -> None:
    value = {"n": 1.0, "below": [{"n": 2, "below": [{"n": 3, "below": [], "more": 1}]}]}
    assert fit(value, TREE) == {"n": 1, "below": [{"n": 2, "below": [{"n": 3, "below": []}]}]}
    assert misfit({"n": 1, "below": [{"n": 2}]}, TREE) == (
        ".below[0].below: expected [Tree], but the field is missing"
    )


def test_what_has_no_end_is_told() -> None:
    value: dict[str, Any] = {"n": 1, "below": []}
    value["below"].append(value)
    assert misfit(value, TREE).endswith("nested too deeply")
