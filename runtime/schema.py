"""A type as the JSON schema that a model is asked to follow.

The schemas keep to what strict structured output takes: the top is an object, every field is
required (an optional one may be null), and nothing else is allowed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias

from dpipe.lang import types
from dpipe.lang.types import Type

Schema: TypeAlias = dict[str, Any]
Wrapper = Literal["items", "value"]


def wants_text(result: Type) -> bool:
    """Whether the answer is the plain text of the reply, for which there is no schema."""
    return isinstance(result, types.Str)


def wrapper(result: Type) -> Wrapper | None:
    """The one field that a result stands in where it is no record itself."""
    match result:
        case types.Record():
            return None
        case types.List():
            return "items"
        case _:
            return "value"


@lru_cache(maxsize=256)
def json_schema(result: Type) -> Schema:
    """The schema of an answer, always of an object; not to be changed by the caller."""
    key = wrapper(result)
    return _schema(result) if key is None else _object({key: _schema(result)})


@lru_cache(maxsize=256)
def is_closed(result: Type) -> bool:
    """Whether the schema says everything, as strict structured output demands."""
    match result:
        case types.Record(fields):
            return all(is_closed(field.type) for field in fields)
        case types.List(of) | types.Optional(of):
            return is_closed(of)
        case types.Union(options):
            return all(map(is_closed, options))
        case _:
            return isinstance(
                result, types.Str | types.Bool | types.Null | types.Int | types.Float | types.Enum
            )


def _schema(of: Type) -> Schema:
    match of:
        case types.Str():
            return {"type": "string"}
        case types.Bool():
            return {"type": "boolean"}
        case types.Null():
            return {"type": "null"}
        case types.Int(low, high):
            return {"type": "integer", **_bounds(low, high)}
        case types.Float(low, high):
            return {"type": "number", **_bounds(low, high)}
        case types.Enum(values):
            return {"type": "string", "enum": list(values)}
        case types.List(item):
            return {"type": "array", "items": _schema(item)}
        case types.Record(fields):
            return _object({field.name: _field(field) for field in fields})
        case types.Optional(inner):
            return {"anyOf": [_schema(inner), {"type": "null"}]}
        case types.Union(options):
            return {"anyOf": [_schema(option) for option in options]}
        case types.Json() | types.Unknown() | types.Never():
            return {}
        case _:
            raise TypeError(f"a model cannot answer with {types.show(of)}")


def _bounds(low: float | None, high: float | None) -> Schema:
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _field(field: types.Field) -> Schema:
    schema = _schema(field.type)
    return schema | {"description": field.description} if field.description else schema


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
