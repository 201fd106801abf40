"""One closure a kind of expression, over the closures of its parts.

Operators have a file of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dpipe.runtime.errors import CallFails, NoValue
from dpipe.runtime.operators import Code, Locals
from dpipe.runtime.render import kind_of, render
from dpipe.runtime.values import Values


def field_of(name: str) -> Code:
    def field(values: Values, locals: Locals = ()) -> Any:
        try:
            return values[name]
        except KeyError:  # an optional field that is absent
            return None

    return field


def attr_of(of: Code, name: str) -> Code:
    def attr(values: Values, locals: Locals = ()) -> Any:
        record = of(values, locals)
        return record.get(name) if record.__class__ is dict else None

    return attr


def element_of(of: Code, at: Code) -> Code:
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
        except TypeError:
            raise NoValue(f"{kind_of(whole)} has no element {render(index)}") from None

    return element


def part_of(of: Code, low: Code, high: Code) -> Code:
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


def apply(function: Callable[..., Any], args: tuple[Code, ...]) -> Code:
    match args:
        case (a,):
            return lambda values, locals=(): function(a(values, locals))
        case (a, b):
            return lambda values, locals=(): function(a(values, locals), b(values, locals))
        case _:
            return lambda values, locals=(): function(*[arg(values, locals) for arg in args])


def def_call(body: Code, args: tuple[Code, ...]) -> Code:
    match args:
        case (a,):
            return lambda values, locals=(): body(values, (a(values, locals),))
        case (a, b):
            return lambda values, locals=(): body(values, (a(values, locals), b(values, locals)))
        case _:
            return lambda values, locals=(): body(
                values, tuple([arg(values, locals) for arg in args])
            )


def list_of(items: tuple[Code, ...]) -> Code:
    return lambda values, locals=(): [item(values, locals) for item in items]


def record_of(entries: tuple[tuple[str, Code], ...]) -> Code:
    return lambda values, locals=(): {name: value(values, locals) for name, value in entries}


def rendered(of: Code, shown: str) -> Code:
    """The value as text; where it is null, ``shown`` tells what is."""

    def text(values: Values, locals: Locals = ()) -> str:
        value = of(values, locals)
        if value is None:
            raise NoValue(f"{shown} is null")
        return render(value)

    return text


def choice(test: Code, then: Code, otherwise: Code) -> Code:
    return lambda values, locals=(): (
        then(values, locals) if test(values, locals) else otherwise(values, locals)
    )


def failing(outcome: str) -> Code:
    def fail(values: Values, locals: Locals = ()) -> Any:
        raise CallFails(outcome)

    return fail


def template_of(parts: tuple[str | Code, ...]) -> Code:
    def template(values: Values, locals: Locals = ()) -> str:
        return "".join([p if isinstance(p, str) else p(values, locals) for p in parts])

    return template
