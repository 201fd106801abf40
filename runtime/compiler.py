"""The compiler: an expression of the graph and the scope around it to a closure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime import closures, operators
from dpipe.runtime.analysis import Analysis
from dpipe.runtime.calling import Functions
from dpipe.runtime.chance import Chance
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.fit import fitter
from dpipe.runtime.functions import FUNCTIONS, OF_ROW, OUTSIDE, PATTERNS
from dpipe.runtime.functions.text import compiled
from dpipe.runtime.operators import Code, constant
from dpipe.runtime.values import Values

NO_VALUES: Values = {}


class Names:
    """What names in expressions stand for, and the defs compiled so far."""

    def __init__(
        self,
        defs: Mapping[str, graph.Def],
        params: Mapping[str, Any],
        environ: Mapping[str, str],
    ) -> None:
        self.defs = defs
        self.params = params
        self.environ = environ
        self.analysis = Analysis(defs)
        self.functions = Functions()
        self._bodies: dict[tuple[str, Chance | None], Code] = {}

    def body(self, key: str, chance: Chance | None) -> Code:
        """A def's body over its parameters, compiled once for each drawer of chance."""
        found = self._bodies.get((key, chance))
        if found is None:
            function = self.defs[key]
            found = Compiler(self, function.params, chance).code(function.body)
            self._bodies[key, chance] = found
        return found


class _Known(Struct, frozen=True):
    value: Any


class Compiler:
    """Compiles under one scope: the names of the locals, in their places."""

    def __init__(
        self, names: Names, scope: tuple[str, ...] = (), chance: Chance | None = None
    ) -> None:
        self.names = names
        self.scope = scope
        self.chance = chance

    def code(self, expr: graph.Expr) -> Code:
        code = self._code(expr)
        if isinstance(expr, graph.Lambda):
            return code
        known = self._known(expr, code)
        return code if known is None else constant(known.value)

    def _known(self, expr: graph.Expr, code: Code) -> _Known | None:
        """The value where no row is needed for it; without a value each row says why.

        Behind a test that does not hold, a value may be of another kind than the check has shown:
        what Python says of it is no matter, since no row comes there.
        """
        if not self.names.analysis.is_constant(expr):
            return None
        try:
            return _Known(code(NO_VALUES, (None,) * len(self.scope)))
        except (NoValue, TypeError, AttributeError):
            return None

    def _code(self, expr: graph.Expr) -> Code:
        match expr:
            case graph.Const(value):
                return constant(value)
            case graph.Field(name):
                return closures.field_of(name)
            case graph.Local(name):
                return self._local(name)
            case graph.Param(name):
                return constant(self.names.params[name])
            case graph.Attr(of, name):
                return closures.attr_of(self.code(of), name)
            case graph.Index(of, graph.Range(low, high)):
                return closures.part_of(self.code(of), self.code(low), self.code(high))
            case graph.Index(of, at):
                return closures.element_of(self.code(of), self.code(at))
            case graph.Call(function, args):
                return self._call(function, args)
            case graph.CallDef(function, args):
                body = self.names.body(function, self.chance)
                return closures.def_call(body, tuple(map(self.code, args)))
            case graph.CallPython(args=args):
                return self._python(expr, tuple(map(self.code, args)))
            case graph.Told(of, type):
                return closures.apply(fitter(type), (self.code(of),))
            case graph.Lambda(param, body):
                return self._lambda(param, body)
            case graph.If(test, then, otherwise):
                return self._if(test, then, otherwise)
            case graph.Binary(op, left, right):
                return self._binary(op, left, right)
            case graph.Unary(op, operand):
                return operators.UNARY[op](self.code(operand))
            case graph.ListOf(items):
                return closures.list_of(tuple(map(self.code, items)))
            case graph.RecordOf(entries):
                return closures.record_of(
                    tuple((name, self.code(value)) for name, value in entries)
                )
            case graph.Fail(outcome):
                return closures.failing(outcome)
            case graph.Template(parts):
                return self._template(parts)
            case _:
                raise TypeError(f"not an expression by itself: {expr!r}")

    def _python(self, call: graph.CallPython, args: tuple[Code, ...]) -> Code:
        function = self.names.functions.of(call)
        if function.waits:
            return self.names.functions.code(function, args)
        return closures.apply(function.here, args)

    def _local(self, name: str) -> Code:
        at = len(self.scope) - 1 - self.scope[::-1].index(name)
        return lambda values, locals=(): locals[at]

    def _lambda(self, param: str, body: graph.Expr) -> Code:
        """Gives a function of one value, made for the row and locals around it."""
        inner = Compiler(self.names, (*self.scope, param), self.chance).code(body)
        if not self.scope:
            return lambda values, locals=(): lambda value: inner(values, (value,))
        return lambda values, locals=(): lambda value: inner(values, (*locals, value))

    def _if(self, test: graph.Expr, then: graph.Expr, otherwise: graph.Expr) -> Code:
        chooses = self.code(test)
        known = self._known(test, chooses)
        if known is not None:
            return self.code(then if known.value else otherwise)
        return closures.choice(chooses, self.code(then), self.code(otherwise))

    def _binary(self, op: str, left: graph.Expr, right: graph.Expr) -> Code:
        if op == "in" and isinstance(right, graph.Range):
            return operators.within(self.code(left), self.code(right.low), self.code(right.high))
        one, other = self.code(left), self.code(right)
        known = self._known(right, other) if op == "in" else None
        if known is not None and isinstance(known.value, list):
            return operators.member_of_constant(one, known.value)
        return operators.BINARY[op](one, other)

    def _template(self, parts: tuple[str | graph.Expr, ...]) -> Code:
        return closures.template_of(
            tuple(p if isinstance(p, str) else self._rendered(p) for p in parts)
        )

    def _rendered(self, part: graph.Expr) -> Code:
        return closures.rendered(self.code(part), path_of(part))

    # -- calls of built-in functions -------------------------------------------------------------

    def _call(self, function: str, args: tuple[graph.Expr | None, ...]) -> Code:
        codes = [constant(None) if arg is None else self.code(arg) for arg in args]
        if function in OUTSIDE:
            texts = [code(NO_VALUES) for code in codes]
            return constant(FUNCTIONS[function](self.names.environ, *texts))
        if function in OF_ROW:
            return self._of_row(function, codes)
        at = PATTERNS.get(function)
        if at is not None and (pattern := args[at]) is not None:
            codes[at] = self._pattern(pattern, codes[at])
        return closures.apply(FUNCTIONS[function], tuple(codes))

    def _of_row(self, function: str, codes: list[Code]) -> Code:
        if self.chance is None:
            raise ValueError(f"`{function}` needs a row's identity: use `Expressions.over`")
        apply, chance = FUNCTIONS[function], self.chance
        if function == "identity":
            return lambda values, locals=(): apply(chance.key)
        [elements] = codes
        return lambda values, locals=(): apply(elements(values, locals), chance.draw())

    def _pattern(self, arg: graph.Expr, code: Code) -> Code:
        """A constant pattern is compiled now, so that a bad one is told before the run."""
        known = self._known(arg, code)
        if known is None or known.value is None:
            return code
        try:
            return constant(compiled(known.value))
        except NoValue as e:
            raise UsageError(str(e), hint='write a backslash of the pattern as "\\\\"') from None


def path_of(expr: graph.Expr) -> str:
    """A path as messages show it: ```.sample.output```; other expressions are "a value"."""
    match expr:
        case graph.Field(name):
            return f"`.{name}`"
        case graph.Local(name) | graph.Param(name):
            return f"`{name}`"
        case graph.Attr(of, name) if (path := path_of(of)) != "a value":
            return f"{path[:-1]}.{name}`"
        case _:
            return "a value"
