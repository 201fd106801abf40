"""Rows as Arrow's columns: a column a field of the row type, each of the type that fits it.

What has no type there (json, unions of several kinds, records that contain themselves) is
``arrow.json``: text that readers who know it give as the value itself. Images are their data URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import field_path, fitter
from dpipe.runtime.sinks.base import encode
from dpipe.runtime.values import Values

Stored: TypeAlias = Callable[[Any], Any]
_INT64 = range(-(2**63), 2**63)


class Columns:
    """The columns of one row type; every one may hold null."""

    def __init__(self, row: types.Record) -> None:
        self.schema = pa.schema([(field.name, _type(field.type)) for field in row.fields])
        # Texts first, then what they are: Arrow makes no JSON of Python's values.
        self._raw = pa.schema([(column.name, _raw(column.type)) for column in self.schema])
        self._fit = fitter(row)
        self._stored = _record(row)

    def stored(self, record: Values) -> Values:
        """A row as ``table`` takes it; raises ``Misfit`` where it does not fit its type."""
        stored: Values = self._stored(self._fit(record))
        return stored

    def table(self, rows: Sequence[Values]) -> Any:
        """Stored rows as an Arrow table."""
        return pa.Table.from_pylist(list(rows), schema=self._raw).cast(self.schema)


def _type(of: types.Type) -> Any:
    match of:
        case types.Str() | types.Enum() | types.Image() | types.Null():
            return pa.string()
        case types.Bool():
            return pa.bool_()
        case types.Int():
            return pa.int64()
        case types.Float():
            return pa.float64()
        case types.Optional(inner):
            return _type(inner)
        case types.List(inner):
            return pa.list_(_type(inner))
        case types.Record() if _is_struct(of):
            return pa.struct([(field.name, _type(field.type)) for field in of.fields])
        case _:
            return pa.json_(pa.string())


def _is_struct(of: types.Record) -> bool:
    return bool(of.fields) and not of.open and not isinstance(of, types.Again)


def _raw(of: Any) -> Any:
    """The same type with texts where it has JSON."""
    if isinstance(of, pa.JsonType):
        return pa.string()
    if pa.types.is_list(of):
        return pa.list_(_raw(of.value_type))
    if pa.types.is_struct(of):
        return pa.struct([(part.name, _raw(part.type)) for part in of.fields])
    return of


# -- one function a type -------------------------------------------------------------------------


def _storer(of: types.Type) -> Stored:
    """What makes of a fitted value the one that its column takes."""
    match of:
        case types.Str() | types.Enum() | types.Image() | types.Bool() | types.Null():
            return _same
        case types.Int():
            return _int64
        case types.Float():
            return float
        case types.Optional(inner):
            return _storer(inner)
        case types.List(inner):
            return _list(_storer(inner))
        case types.Record() if _is_struct(of):
            return _record(of)
        case _:
            return lambda value: encode(value).decode()


def _same(value: Any) -> Any:
    return value


def _int64(value: int) -> int:
    if value not in _INT64:
        raise Misfit("", f"{value} is beyond what the file holds: whole numbers of 64 bits")
    return value


def _list(store: Stored) -> Stored:
    def stored(value: list[Any]) -> list[Any]:
        found: list[Any] = []
        try:
            for one in value:
                found.append(None if one is None else store(one))
        except Misfit as wrong:
            raise Misfit(f"[{len(found)}]{wrong.path}", wrong.message) from None
        return found

    return stored


def _record(of: types.Record) -> Stored:
    parts = [(field.name, _storer(field.type)) for field in of.fields]

    def stored(value: Values) -> Values:
        found: Values = {}
        for name, store in parts:
            part = value.get(name)
            try:
                found[name] = None if part is None else store(part)
            except Misfit as wrong:
                raise Misfit(field_path(name) + wrong.path, wrong.message) from None
        return found

    return stored
