"""Expressions of the graph as nested Python closures, made once before the run.

A closure takes the row's values and the locals in scope, a tuple whose places are known when the
closure is made: a prompt's or def's parameters, then the variables of the lambdas around, the
innermost last. What sees no row is evaluated here, once; of an ``if`` whose test is such a
constant only the branch that is taken exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime import operators, python
from dpipe.runtime.chance import Chance
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.functions import FUNCTIONS, OUTSIDE, PATTERNS
from dpipe.runtime.functions.text import compiled
from dpipe.runtime.operators import Code, Locals, constant
from dpipe.runtime.render import kind_of, render
from dpipe.runtime.values import Row, Values

OverRow: TypeAlias = Callable[[Row], Any]

_NO_VALUES: Values = {}


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
        self._defs = defs
        self._params = params
        self._environ = environ
        self._compiled_defs: dict[tuple[str, Chance | None], Code] = {}

    def over(self, expr: graph.Expr, salt: bytes) -> OverRow:
        """The expression over a whole row, whose identity seeds ``pick``.

        ``salt`` stands for the run's seed, the stage's content and the expression's place in it.
        """
        if not self._draws(expr):
            code = self._compile(expr)
            return lambda row: code(row.values)
        chance = Chance(salt)
        drawing = self._compile(expr, chance=chance)

        def draw(row: Row) -> Any:
            chance.begin(row.key)
            return drawing(row.values)

        return draw

    def over_row(self, expr: graph.Expr) -> Callable[[Values], Any]:
        """The expression over a row's values; ``pick`` needs ``over``."""
        return self._compile(expr)

    def function(self, lam: graph.Lambda) -> Callable[[Values, Any], Any]:
        """The lambda as a function of the row's values and its own value."""
        code = self._compile(lam.body, (lam.param,))
        return lambda values, value: code(values, (value,))

    def body(self, expr: graph.Expr, names: tuple[str, ...]) -> Callable[[Locals], Any]:
        """The expression as a function of the values of ``names``, its locals."""
        code = self._compile(expr, names)
        return lambda locals: code(_NO_VALUES, locals)

    def constant(self, expr: graph.Expr) -> Any:
        """The value of an expression that sees no row."""
        return self._compile(expr)(_NO_VALUES)

    def _compile(
        self, expr: graph.Expr, scope: tuple[str, ...] = (), chance: Chance | None = None
    ) -> Code:
        return _Compiler(self, scope, chance).code(expr)

    def compiled_def(self, key: str, chance: Chance | None) -> Code:
        """A def's body over its parameters, compiled once for each drawer of chance."""
        found = self._compiled_defs.get((key, chance))
        if found is None:
            function = self._defs[key]
            found = self._compile(function.body, function.params, chance)
            self._compiled_defs[key, chance] = found
        return found

    def _draws(self, expr: graph.Expr) -> bool:
        match expr:
            case graph.Call("pick"):
                return True
            case graph.CallDef(function) if self._draws(self._defs[function].body):
                return True
            case _:
                return any(map(self._draws, parts_of(expr)))

    def is_constant(self, expr: graph.Expr, bound: frozenset[str] = frozenset()) -> bool:
        """Whether an expression sees neither row nor chance, nor a local but those ``bound``."""
        match expr:
            case graph.Field() | graph.Call("pick"):
                return False
            case graph.Local(name):
                return name in bound
            case graph.Lambda(param, body):
                return self.is_constant(body, bound | {param})
            case graph.CallDef(function) if self._draws(self._defs[function].body):
                return False
            case _:
                return all(self.is_constant(part, bound) for part in parts_of(expr))

    def param(self, name: str) -> Any:
        return self._params[name]

    @property
    def environ(self) -> Mapping[str, str]:
        return self._environ


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


class _Known(Struct, frozen=True):
    value: Any


class _Compiler:
    """Compiles under one scope: the names of the locals, in their places."""

    def __init__(self, program: Expressions, scope: tuple[str, ...], chance: Chance | None) -> None:
        self.program = program
        self.scope = scope
        self.chance = chance

    def code(self, expr: graph.Expr) -> Code:
        code = self._code(expr)
        if isinstance(expr, graph.Lambda):
            return code
        known = self._known(expr, code)
        return code if known is None else constant(known.value)

    def _known(self, expr: graph.Expr, code: Code) -> _Known | None:
        """The value where no row is needed for it; without a value each row says why."""
        if not self.program.is_constant(expr):
            return None
        try:
            return _Known(code(_NO_VALUES, (None,) * len(self.scope)))
        except NoValue:
            return None

    def _code(self, expr: graph.Expr) -> Code:
        match expr:
            case graph.Const(value):
                return constant(value)
            case graph.Field(name):
                return _field(name)
            case graph.Local(name):
                return self._local(name)
            case graph.Param(name):
                return constant(self.program.param(name))
            case graph.Attr(of, name):
                return _attr(self.code(of), name)
            case graph.Index(of, graph.Range(low, high)):
                return _part(self.code(of), self.code(low), self.code(high))
            case graph.Index(of, at):
                return _element(self.code(of), self.code(at))
            case graph.Call(function, args):
                return self._call(function, args)
            case graph.CallDef(function, args):
                body = self.program.compiled_def(function, self.chance)
                return _def_call(body, tuple(map(self.code, args)))
            case graph.CallPython(target, args, result):
                return _apply(python.function(target, result), tuple(map(self.code, args)))
            case graph.Lambda(param, body):
                return self._lambda(param, body)
            case graph.If(test, then, otherwise):
                return self._if(test, then, otherwise)
            case graph.Binary(op, left, right):
                return self._binary(op, left, right)
            case graph.Unary(op, operand):
                return operators.UNARY[op](self.code(operand))
            case graph.ListOf(items):
                return _list(tuple(map(self.code, items)))
            case graph.RecordOf(entries):
                return _record(tuple((name, self.code(value)) for name, value in entries))
            case graph.Template(parts):
                return self._template(parts)
            case _:
                raise TypeError(f"not an expression by itself: {expr!r}")

    def _local(self, name: str) -> Code:
        at = len(self.scope) - 1 - self.scope[::-1].index(name)
        return lambda values, locals=(): locals[at]

    def _lambda(self, param: str, body: graph.Expr) -> Code:
        """Gives a function of one value, made for the row and locals around it."""
        inner = _Compiler(self.program, (*self.scope, param), self.chance).code(body)
        if not self.scope:
            return lambda values, locals=(): lambda value: inner(values, (value,))
        return lambda values, locals=(): lambda value: inner(values, (*locals, value))

    def _if(self, test: graph.Expr, then: graph.Expr, otherwise: graph.Expr) -> Code:
        chooses = self.code(test)
        known = self._known(test, chooses)
        if known is not None:
            return self.code(then if known.value else otherwise)
        yes, no = self.code(then), self.code(otherwise)
        return lambda values, locals=(): (
            yes(values, locals) if chooses(values, locals) else no(values, locals)
        )

    def _binary(self, op: str, left: graph.Expr, right: graph.Expr) -> Code:
        if op == "in" and isinstance(right, graph.Range):
            return operators.within(self.code(left), self.code(right.low), self.code(right.high))
        one, other = self.code(left), self.code(right)
        known = self._known(right, other) if op == "in" else None
        if known is not None and isinstance(known.value, list):
            return operators.member_of_constant(one, known.value)
        return operators.BINARY[op](one, other)

    def _template(self, parts: tuple[str | graph.Expr, ...]) -> Code:
        return _template(tuple(p if isinstance(p, str) else self._rendered(p) for p in parts))

    def _rendered(self, part: graph.Expr) -> Code:
        value_of, shown = self.code(part), path_of(part)

        def rendered(values: Values, locals: Locals = ()) -> str:
            value = value_of(values, locals)
            if value.__class__ is str:
                return value
            if value is None:
                raise NoValue(f"{shown} is null")
            return render(value)

        return rendered

    # -- calls of built-in functions -------------------------------------------------------------

    def _call(self, function: str, args: tuple[graph.Expr | None, ...]) -> Code:
        if function in OUTSIDE:
            texts = [None if arg is None else self.program.constant(arg) for arg in args]
            return constant(FUNCTIONS[function](self.program.environ, *texts))
        if function == "pick":
            return self._pick(args)
        codes = [constant(None) if arg is None else self.code(arg) for arg in args]
        at = PATTERNS.get(function)
        if at is not None and (pattern := args[at]) is not None:
            codes[at] = self._pattern(pattern, codes[at])
        return _apply(FUNCTIONS[function], tuple(codes))

    def _pick(self, args: tuple[graph.Expr | None, ...]) -> Code:
        if self.chance is None:
            raise ValueError("`pick` needs a row's identity: compile with `Expressions.over`")
        assert args[0] is not None
        elements, draw, pick = self.code(args[0]), self.chance.draw, FUNCTIONS["pick"]
        return lambda values, locals=(): pick(elements(values, locals), draw())

    def _pattern(self, arg: graph.Expr, code: Code) -> Code:
        """A constant pattern is compiled now, so that a bad one is told before the run."""
        known = self._known(arg, code)
        if known is None:
            return code
        try:
            return constant(compiled(known.value))
        except NoValue as e:
            raise UsageError(str(e), hint='write a backslash of the pattern as "\\\\"') from None


# -- one closure a kind of node ------------------------------------------------------------------


def _field(name: str) -> Code:
    def field(values: Values, locals: Locals = ()) -> Any:
        try:
            return values[name]
        except KeyError:  # an optional field that is absent
            return None

    return field


def _attr(of: Code, name: str) -> Code:
    def attr(values: Values, locals: Locals = ()) -> Any:
        record = of(values, locals)
        return record.get(name) if record.__class__ is dict else None

    return attr


def _element(of: Code, at: Code) -> Code:
    def element(values: Values, locals: Locals = ()) -> Any:
        whole, index = of(values, locals), at(values, locals)
        if whole is None:
            return None
        if not isinstance(whole, list | tuple | str):
            raise NoValue(f"{kind_of(whole)} has no element {render(index)}")
        try:
            return whole[index]
        except IndexError:
            raise NoValue(f"index {index} is outside {_size(whole)}") from None

    return element


def _part(of: Code, low: Code, high: Code) -> Code:
    """``xs[low..high]``, both ends included, negative ones from the end; clipped, never outside."""

    def part(values: Values, locals: Locals = ()) -> Any:
        whole, first, last = of(values, locals), low(values, locals), high(values, locals)
        if whole is None:
            return None
        if not isinstance(whole, list | tuple | str):
            raise NoValue(f"{kind_of(whole)} has no parts")
        size = len(whole)
        start = max(first + size, 0) if first < 0 else first
        stop = (last + size if last < 0 else last) + 1
        return whole[start : max(stop, 0)]

    return part


def _size(whole: Any) -> str:
    return f"{kind_of(whole)} of {len(whole)}"


def _apply(function: Callable[..., Any], args: tuple[Code, ...]) -> Code:
    match args:
        case (a,):
            return lambda values, locals=(): function(a(values, locals))
        case (a, b):
            return lambda values, locals=(): function(a(values, locals), b(values, locals))
        case _:
            return lambda values, locals=(): function(*[arg(values, locals) for arg in args])


def _def_call(body: Code, args: tuple[Code, ...]) -> Code:
    match args:
        case (a,):
            return lambda values, locals=(): body(values, (a(values, locals),))
        case (a, b):
            return lambda values, locals=(): body(values, (a(values, locals), b(values, locals)))
        case _:
            return lambda values, locals=(): body(
                values, tuple([arg(values, locals) for arg in args])
            )


def _list(items: tuple[Code, ...]) -> Code:
    return lambda values, locals=(): [item(values, locals) for item in items]


def _record(entries: tuple[tuple[str, Code], ...]) -> Code:
    return lambda values, locals=(): {name: value(values, locals) for name, value in entries}


def _template(parts: tuple[str | Code, ...]) -> Code:
    def template(values: Values, locals: Locals = ()) -> str:
        return "".join([p if isinstance(p, str) else p(values, locals) for p in parts])

    return template


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
