"""Expressions of the graph as nested Python closures, made once before the run.

A closure takes the row's values and the locals in scope, a tuple whose places are known when the
closure is made: a prompt's or def's parameters, then the variables of the lambdas around, the
innermost last. What sees no row is evaluated here, once; of an ``if`` whose test is such a
constant only the branch that is taken exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dpipe.lang import graph
from dpipe.runtime.analysis import expressions_in, parts_of
from dpipe.runtime.chance import Chance
from dpipe.runtime.compiler import NO_VALUES, Compiler, Names
from dpipe.runtime.operators import Code, Locals
from dpipe.runtime.values import Row, Values

__all__ = ["Expressions", "OverRow", "parts_of"]

OverRow: TypeAlias = Callable[[Row], Any]


class Expressions:
    """The expressions of one program, whose settings and environment are known.

    What it gives raises ``NoValue`` where the expression has no value on a row. Making it raises
    ``UsageError`` for what the user must mend: a variable that is not set, a bad pattern.
    """

    def __init__(
        self,
        defs: Mapping[str, graph.Def],
        params: Mapping[str, Any],
        environ: Mapping[str, str],
    ) -> None:
        self._names = Names(defs, params, environ)
        self.functions = self._names.functions

    def over(self, expr: graph.Expr, salt: bytes) -> OverRow:
        """The expression over a whole row, whose identity it may tell and seeds ``pick``.

        ``salt`` stands for the run's seed, the stage's content and the expression's place in it.
        """
        if not self._names.analysis.of_row(expr):
            code = self._compile(expr)
            return lambda row: code(row.values)
        chance = Chance(salt)
        drawing = self._compile(expr, chance=chance)

        def draw(row: Row) -> Any:
            chance.begin(row.key)
            return drawing(row.values)

        return draw

    def waits(self, part: graph.Node | graph.Expr) -> bool:
        """Whether a node or an expression calls Python whose answers are waited for."""
        python_in = self._names.analysis.python_in
        calls = (call for expr in expressions_in(part) for call in python_in(expr))
        return any(self.functions.of(call).waits for call in calls)

    def python_in(self, expr: graph.Expr) -> list[str]:
        """The Python that an expression calls, each target once, sorted."""
        return sorted({call.target for call in self._names.analysis.python_in(expr)})

    def over_row(self, expr: graph.Expr) -> Callable[[Values], Any]:
        """The expression over a row's values; ``pick`` and ``identity`` need ``over``."""
        return self._compile(expr)

    def function(self, lam: graph.Lambda) -> Callable[[Values, Any], Any]:
        """The lambda as a function of the row's values and its own value."""
        code = self._compile(lam.body, (lam.param,))
        return lambda values, value: code(values, (value,))

    def body(self, expr: graph.Expr, names: tuple[str, ...]) -> Callable[[Locals], Any]:
        """The expression as a function of the values of ``names``, its locals."""
        code = self._compile(expr, names)
        return lambda locals: code(NO_VALUES, locals)

    def constant(self, expr: graph.Expr) -> Any:
        """The value of an expression that sees no row."""
        return self._compile(expr)(NO_VALUES)

    def _compile(
        self, expr: graph.Expr, scope: tuple[str, ...] = (), chance: Chance | None = None
    ) -> Code:
        return Compiler(self._names, scope, chance).code(expr)
