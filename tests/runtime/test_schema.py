"""Types as JSON schemas that strict structured output takes."""

from __future__ import annotations

import jsonschema
import pytest

from dpipe.lang import types
from dpipe.lang.types import BOOL, INT, JSON, STR, Enum, Field, Float, Int, List, Optional, Record
from dpipe.runtime.schema import is_closed, json_schema, wants_text, wrapper

PAIR = Record((Field("question", STR, "self-contained"), Field("mark", Optional(Int(1, 5)))))


def test_a_record_keeps_its_descriptions_ranges_and_order() -> None:
    assert json_schema(PAIR) == {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "self-contained"},
            "mark": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 5}, {"type": "null"}]},
        },
        "required": ["question", "mark"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("result", "key"),
    [(PAIR, None), (List(PAIR), "items"), (INT, "value"), (Optional(PAIR), "value")],
)
def test_the_top_of_a_schema_is_an_object(result: types.Type, key: str | None) -> None:
    schema = json_schema(result)
    assert schema["type"] == "object"
    assert wrapper(result) == key
    assert key is None or schema["required"] == [key]


def test_only_plain_text_wants_no_schema() -> None:
    assert wants_text(STR)
    assert not wants_text(Optional(STR))
    assert not wants_text(Enum(("a",)))


def test_json_leaves_a_schema_open() -> None:
    assert is_closed(List(PAIR))
    assert not is_closed(Record((Field("extra", JSON),)))


@pytest.mark.parametrize(
    ("result", "good", "bad"),
    [
        (INT, 3, 3.5),
        (Int(1, 10), 10, 11),
        (Float(0.0, 1.0), 0.5, -0.1),
        (Enum(("a", "b")), "a", "c"),
        (BOOL, True, "true"),
        (Optional(STR), None, 1),
        (List(Enum(("a",))), ["a", "a"], ["b"]),
        (types.Union((INT, List(INT))), [1], "x"),
    ],
)
def test_a_schema_says_what_the_type_says(result: types.Type, good: object, bad: object) -> None:
    schema = json_schema(Record((Field("x", result),)))
    jsonschema.validate({"x": good}, schema)
    for wrong in ({"x": bad}, {}, {"x": good, "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_no_model_can_answer_with_a_picture() -> None:
    with pytest.raises(TypeError, match="image"):
        json_schema(List(types.IMAGE))


def tree(name: str) -> types.Again:
    below = Field("children", List(types.Again(name=name)), "below it")
    return types.Again(name=name, group=(Record((Field("name", STR), below), name),))


def test_a_record_that_contains_itself_is_a_definition() -> None:
    schema = json_schema(tree("Tree"))
    assert schema["properties"]["children"] == {
        "type": "array",
        "items": {"$ref": "#/$defs/r1"},
        "description": "below it",
    }
    assert schema["$defs"]["r1"]["properties"] == schema["properties"]
    assert is_closed(tree("Tree"))
    jsonschema.validate({"name": "b", "children": [{"name": "a", "children": []}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "b", "children": [{"name": "a"}]}, schema)


def test_a_definition_is_known_by_a_number_and_not_by_its_name() -> None:
    assert json_schema(tree("Shrub")) == json_schema(tree("Tree"))


def test_nothing_stands_beside_a_reference() -> None:
    whole = Record((Field("tree", tree("Tree"), "the whole"),))
    field = json_schema(whole)["properties"]["tree"]
    assert field == {"anyOf": [{"$ref": "#/$defs/r1"}], "description": "the whole"}
