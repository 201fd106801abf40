"""The operators as closures over the closures of their operands.

Operands have been type-checked; what a check cannot see (a ``json`` value of another kind, a
division by zero, a number too large) raises ``NoValue``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from dpipe.runtime.equality import equal, frozen
from dpipe.runtime.errors import NoValue
from dpipe.runtime.render import kind_of
from dpipe.runtime.values import Values

Locals: TypeAlias = tuple[Any, ...]


class Code(Protocol):
    """A compiled expression. ``locals`` are the parameters and lambda variables around it."""

    def __call__(self, values: Values, locals: Locals = ..., /) -> Any: ...


def constant(value: Any) -> Code:
    return lambda values, locals=(): value


# -- logic: the right operand is evaluated only where it matters ---------------------------------


def both(left: Code, right: Code) -> Code:
    return lambda values, locals=(): left(values, locals) and right(values, locals)


def either(left: Code, right: Code) -> Code:
    return lambda values, locals=(): left(values, locals) or right(values, locals)


def coalesce(left: Code, right: Code) -> Code:
    def first_not_null(values: Values, locals: Locals = ()) -> Any:
        value = left(values, locals)
        return right(values, locals) if value is None else value

    return first_not_null


# -- comparison ----------------------------------------------------------------------------------


def same(left: Code, right: Code) -> Code:
    return lambda values, locals=(): equal(left(values, locals), right(values, locals))


def differs(left: Code, right: Code) -> Code:
    return lambda values, locals=(): not equal(left(values, locals), right(values, locals))


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED = {int: "number", float: "number", str: "text", bool: "bool"}


def compares(op: str) -> Callable[[Code, Code], Code]:
    test = _ORDERS[op]

    def comparison(left: Code, right: Code) -> Code:
        def compare(values: Values, locals: Locals = ()) -> bool:
            a = left(values, locals)
            b = right(values, locals)
            kind = _ORDERED.get(a.__class__)
            if kind is None or kind is not _ORDERED.get(b.__class__):
                raise NoValue(f"{kind_of(a)} cannot be compared with {kind_of(b)}")
            return test(a, b)

        return compare

    return comparison


def within(item: Code, low: Code, high: Code) -> Code:
    """``item in low..high``; null and what is no number is in no range."""

    def is_within(values: Values, locals: Locals = ()) -> bool:
        value = item(values, locals)
        if value.__class__ is not int and value.__class__ is not float:
            return False
        return bool(low(values, locals) <= value <= high(values, locals))

    return is_within


def member(item: Code, of: Code) -> Code:
    def is_member(values: Values, locals: Locals = ()) -> bool:
        value, elements = item(values, locals), of(values, locals)
        if not isinstance(elements, list | tuple):
            raise NoValue(f"`in` needs a list, found {kind_of(elements)}")
        return any(equal(value, element) for element in elements)

    return is_member


def member_of_constant(item: Code, elements: list[Any]) -> Code:
    known = frozenset(map(frozen, elements))
    return lambda values, locals=(): frozen(item(values, locals)) in known


# -- arithmetic ----------------------------------------------------------------------------------

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


def computes(op: str) -> Callable[[Code, Code], Code]:
    apply = _ARITHMETIC[op]

    def computation(left: Code, right: Code) -> Code:
        def compute(values: Values, locals: Locals = ()) -> Any:
            a = left(values, locals)
            b = right(values, locals)
            try:
                result = apply(a, b)
            except ZeroDivisionError:
                raise NoValue("division by zero") from None
            except OverflowError:
                raise NoValue("a number too large") from None
            except TypeError:
                raise NoValue(f"`{op}` of {kind_of(a)} and {kind_of(b)}") from None
            if result.__class__ is float and result - result != 0:  # infinite or not a number
                raise NoValue("a number too large")
            return result

        return compute

    return computation


def negative(operand: Code) -> Code:
    return lambda values, locals=(): -operand(values, locals)


def negation(operand: Code) -> Code:
    return lambda values, locals=(): not operand(values, locals)


BINARY: dict[str, Callable[[Code, Code], Code]] = {
    "and": both,
    "or": either,
    "??": coalesce,
    "==": same,
    "!=": differs,
    "in": member,
    **{op: compares(op) for op in _ORDERS},
    **{op: computes(op) for op in _ARITHMETIC},
}
UNARY: dict[str, Callable[[Code], Code]] = {"-": negative, "not": negation}
