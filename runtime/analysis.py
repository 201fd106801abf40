"""What can be known of an expression before the run: whether it hangs on a row, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.functions import OF_ROW


class Analysis:
    """Over the defs of one program; what is known of one is found once."""

    def __init__(self, defs: Mapping[str, graph.Def]) -> None:
        self._defs = defs
        self._of_row: dict[str, bool] = {}

    def of_row(self, expr: graph.Expr) -> bool:
        """Whether the row's identity has a part in it, as in what it draws."""
        match expr:
            case graph.Call(function) if function in OF_ROW:
                return True
            case graph.CallDef(key) if self._def_of_row(key):
                return True
            case _:
                return any(map(self.of_row, parts_of(expr)))

    def _def_of_row(self, key: str) -> bool:
        if key not in self._of_row:
            self._of_row[key] = self.of_row(self._defs[key].body)
        return self._of_row[key]

    def python_in(self, expr: graph.Expr) -> Iterator[graph.CallPython]:
        """The calls of Python in it, and in the defs that it calls."""
        if isinstance(expr, graph.CallPython):
            yield expr
        if isinstance(expr, graph.CallDef):
            yield from self.python_in(self._defs[expr.function].body)
        for part in parts_of(expr):
            yield from self.python_in(part)

    def is_constant(self, expr: graph.Expr, bound: frozenset[str] = frozenset()) -> bool:
        """Whether it sees no row, nor a local but those ``bound``."""
        match expr:
            case graph.Field() | graph.CallPython(record=True):
                return False
            case graph.Call(function) if function in OF_ROW:
                return False
            case graph.Local(name):
                return name in bound
            case graph.Lambda(param, body):
                return self.is_constant(body, bound | {param})
            case graph.CallDef(key) if self._def_of_row(key):
                return False
            case _:
                return all(self.is_constant(part, bound) for part in parts_of(expr))


def expressions_in(part: Any) -> Iterator[graph.Expr]:
    """The outermost expressions of a node, or of a part of one."""
    if isinstance(part, graph.Expr):
        yield part
    elif isinstance(part, Struct):
        for name in part.__struct_fields__:
            yield from expressions_in(getattr(part, name))
    elif isinstance(part, dict):
        for value in part.values():
            yield from expressions_in(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from expressions_in(value)


def parts_of(expr: graph.Expr) -> Iterator[graph.Expr]:
    """The expressions that an expression is directly made of."""
    for name in expr.__struct_fields__:
        yield from _expressions_in(getattr(expr, name))


def _expressions_in(value: Any) -> Iterator[graph.Expr]:
    if isinstance(value, graph.Expr):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _expressions_in(part)
