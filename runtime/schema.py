"""A type as the JSON schema that a model is asked to follow.

The schemas keep to what strict structured output takes: the top is an object, every field is
required (an optional one may be null), and nothing else is allowed. A record that contains
itself is a definition that the others refer to, by a number: its name means nothing.
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
    schemas, key = _Schemas(), wrapper(result)
    match result:
        case types.Record(fields=fields):
            schema = schemas.record(fields)
        case _:
            schema = _object({str(key): schemas.of(result)})
    return schema | {"$defs": schemas.definitions} if schemas.definitions else schema


_SAID = (
    types.Str,
    types.Bool,
    types.Null,
    types.Int,
    types.Float,
    types.Enum,
    types.List,
    types.Optional,
    types.Union,
    types.Record,
)


@lru_cache(maxsize=256)
def is_closed(result: Type) -> bool:
    """Whether the schema says everything, as strict structured output demands."""
    return all(isinstance(part, _SAID) for part in types.parts(result))


class _Schemas:
    """The schemas of types; ``definitions`` are those of the records that contain themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._numbers: dict[Type, str] = {}

    def of(self, of: Type) -> Schema:
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
                return {"type": "array", "items": self.of(item)}
            case types.Again():
                return {"$ref": f"#/$defs/{self._defined(of)}"}
            case types.Record(fields=fields):
                return self.record(fields)
            case types.Optional(inner):
                return {"anyOf": [self.of(inner), {"type": "null"}]}
            case types.Union(options):
                return {"anyOf": [self.of(option) for option in options]}
            case types.Json() | types.Unknown() | types.Never():
                return {}
            case _:
                raise TypeError(f"a model cannot answer with {types.show(of)}")

    def record(self, fields: tuple[types.Field, ...]) -> Schema:
        return _object({field.name: self._field(field) for field in fields})

    def _field(self, field: types.Field) -> Schema:
        schema = self.of(field.type)
        if not field.description:
            return schema
        if "$ref" in schema:  # beside which strict structured output takes nothing
            schema = {"anyOf": [schema]}
        return schema | {"description": field.description}

    def _defined(self, record: types.Again) -> str:
        if record not in self._numbers:
            number = self._numbers[record] = f"r{len(self._numbers) + 1}"
            self.definitions[number] = {}  # keeps its place while what it holds is defined
            self.definitions[number] = self.record(record.fields)
        return self._numbers[record]


def _bounds(low: float | None, high: float | None) -> Schema:
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
