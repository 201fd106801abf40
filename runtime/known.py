"""What is known of a program before any run: values of constants, and which stages wait.

No variable of the environment is read and no Python of the user is loaded: what hangs on them is
not known.
"""

from __future__ import annotations

import json
from typing import Any

from dpipe.lang import graph
from dpipe.lang.graph import Graph, Node, inputs_of
from dpipe.runtime.analysis import Analysis, expressions_in, parts_of
from dpipe.runtime.endpoints import models_in
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.expressions import Expressions

_OUTSIDE = ("env", "secret")
_TASKS = frozenset(("group", "python"))  # stages that are tasks whatever their arguments


class Known:
    """The program with the defaults of its params."""

    def __init__(self, program: Graph) -> None:
        self._defs = program.defs
        self._defaults = {param.name: param.default for param in program.params}
        self._params: dict[str, Any] = {}
        self._analysis = Analysis(program.defs)
        self._expressions = Expressions(program.defs, self._params, {})

    def value(self, expr: graph.Expr) -> Any:
        """The value of a constant; raises ``NoValue`` where only a run knows it."""
        self._settle(expr)
        return self._expressions.constant(expr)

    def _settle(self, expr: graph.Expr) -> None:
        """Give the params in an expression their values; raises ``NoValue`` as ``value`` does."""
        match expr:
            case graph.Call(name) if name in _OUTSIDE:
                raise NoValue("it hangs on the environment")
            case graph.CallPython():
                raise NoValue("it calls Python")
            case graph.Param(name) if name not in self._params:
                default = self._defaults.get(name)
                if default is None:
                    raise NoValue(f"param `{name}` has no default")
                self._params[name] = self.value(default)
            case graph.CallDef(key):
                self._settle(self._defs[key].body)
        for part in parts_of(expr):
            self._settle(part)

    def shown(self, expr: graph.Expr) -> str:
        """A constant's value as JSON, or else the place that it comes from; ``?`` where neither."""
        match expr:
            case graph.Call(name, (graph.Const(str() as variable), *_)) if name in _OUTSIDE:
                return f'{name}("{variable}")'
            case graph.ListOf(items):
                return f"[{', '.join(map(self.shown, items))}]"
            case graph.Template():
                return f'"{self.template(expr)}"'
        try:
            return json.dumps(self.value(expr), ensure_ascii=False, default=str)
        except (NoValue, UsageError):
            return "?"

    def template(self, expr: graph.Expr) -> str:
        """A text with its placeholders: ``{.x}`` for a field, ``{?}`` for what is not known."""
        parts = expr.parts if isinstance(expr, graph.Template) else (expr,)
        return "".join(part if isinstance(part, str) else self._hole(part) for part in parts)

    def _hole(self, expr: graph.Expr) -> str:
        if isinstance(expr, graph.Field):
            return f"{{.{expr.name}}}"
        try:
            return str(self.value(expr))
        except (NoValue, UsageError):
            return "{?}"

    def is_step(self, node: Node) -> bool:
        """Whether a node runs in the task before it: it reads one flow and waits for nothing.

        A function of the user's is taken for one that is not ``async``.
        """
        match node:
            case graph.CheckNode() | graph.LeaveNode():
                return True
            case graph.StageNode(stage=stage):
                waits = len(inputs_of(node)) > 1 or any(True for _ in models_in(node))
                return not waits and stage not in _TASKS and not self._waits_for_python(node)
            case _:
                return False

    def _waits_for_python(self, node: Node) -> bool:
        python_in = self._analysis.python_in
        calls = (call for expr in expressions_in(node) for call in python_in(expr))
        return any(call.record or call.concurrency for call in calls)
