"""What can be known of an expression before the run: whether it draws, whether it sees a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpipe.lang import graph


class Analysis:
    """Over the defs of one program, each looked at once."""

    def __init__(self, defs: Mapping[str, graph.Def]) -> None:
        self._defs = defs
        self._drawing: dict[str, bool] = {}

    def draws(self, expr: graph.Expr) -> bool:
        """Whether chance has a part in it."""
        match expr:
            case graph.Call("pick"):
                return True
            case graph.CallDef(key) if self._def_draws(key):
                return True
            case _:
                return any(map(self.draws, parts_of(expr)))

    def _def_draws(self, key: str) -> bool:
        if key not in self._drawing:
            self._drawing[key] = self.draws(self._defs[key].body)
        return self._drawing[key]

    def is_constant(self, expr: graph.Expr, bound: frozenset[str] = frozenset()) -> bool:
        """Whether it sees neither row nor chance, nor a local but those ``bound``."""
        match expr:
            case graph.Field() | graph.Call("pick"):
                return False
            case graph.Local(name):
                return name in bound
            case graph.Lambda(param, body):
                return self.is_constant(body, bound | {param})
            case graph.CallDef(key) if self._def_draws(key):
                return False
            case _:
                return all(self.is_constant(part, bound) for part in parts_of(expr))


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
