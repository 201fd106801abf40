"""Signatures: what a function, stage, method or answerer takes, as values.

A signature's types may hold type variables (``Var``); binding arguments finds what they stand
for. Checker, hover, completion and reference pages read the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    STR,
    UNKNOWN,
    Again,
    List,
    Never,
    Optional,
    Type,
    Union,
    Unknown,
    fits,
    mapped,
    optional,
    show,
    widen,
)


class Var(Type, frozen=True):
    """A type variable of a signature; ``kind`` says what it may stand for."""

    name: str
    kind: Literal["any", "number", "whole", "ordered"] = "any"


class Arrow(Type, frozen=True):
    """A lambda's type; where it is left out the element itself is its result."""

    takes: Type
    gives: Type


T, U = Var("T"), Var("U")

Kind = Literal[
    "expr",  # an expression over the row
    "const",  # an expression that sees no row
    "choice",  # one of some constant texts
    "field",  # a bare `.a` that the row has
    "new",  # a bare `.x` that the stage writes
    "fields",  # every other label, `k: e`, and bare `.a`
    "labels",  # every other label, `k: e`
    "names",  # bare fields, `.a, .b`
    "constants",  # every other label with a constant
    "keys",  # a bare field, or a list of them
    "figures",  # every other label, `k: e` over aggregates
    "lambda",  # `t -> …`
    "flow",
    "pipe",
    "answerer",
    "answerers",  # a list of them
    "embedder",
    "prompt",  # a prompt bound to the row
    "method",  # one of `methods`
]


class Param(Struct, frozen=True):
    """One parameter. A positional one may also be given by its label.

    A ``lambda`` takes a row of the flow that the parameter ``over`` names.
    """

    name: str
    kind: Kind = "expr"
    type: Type = UNKNOWN
    required: bool = True
    positional: bool = False
    choices: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    over: str = ""
    doc: str = ""


class Method(Struct, frozen=True):
    """A way of doing that an argument names: ``minhash(threshold: 0.8)``."""

    name: str
    params: tuple[Param, ...]
    doc: str


Bindings = dict[str, Type]


class Function(Struct, frozen=True):
    """A built-in function. ``result`` may hang on what the variables stand for."""

    name: str
    params: tuple[Param, ...]
    result: Type | Callable[[Bindings], Type]
    doc: str

    @property
    def least(self) -> int:
        return sum(param.required for param in self.params)

    def __str__(self) -> str:
        shown = ", ".join(_show_param(param) for param in self.params)
        return f"{self.name}({shown})"


def _show_param(param: Param) -> str:
    return f"{param.name}: {show_pattern(param.type)}{'' if param.required else ' = …'}"


def show_pattern(pattern: Type) -> str:
    """A signature's type as people read it."""
    match pattern:
        case Var(name, kind):
            shapes = {"number": "number", "whole": "int", "ordered": "number or str"}
            return shapes.get(kind, name)
        case Arrow(takes, gives):
            return f"{show_pattern(takes)} -> {show_pattern(gives)}"
        case List(of):
            return f"[{show_pattern(of)}]"
        case Optional(Var() as of):
            return show_pattern(of)
        case Optional(of):
            return f"{show_pattern(of)}?"
        case Unknown():
            return "any"
        case Union(options):
            return " | ".join(show_pattern(option) for option in options)
        case _:
            return show(pattern)


def unify(pattern: Type, actual: Type, bindings: Bindings) -> bool:
    """Whether ``actual`` may stand for ``pattern``; what variables stand for is added."""
    match pattern, actual:
        case _, Unknown():
            return True
        case Var(name, kind), _:
            bindings[name] = widen(bindings[name], actual) if name in bindings else actual
            return _is_of_kind(bindings[name], kind)
        case List(of), List(inner):
            return unify(of, inner, bindings)
        case List(of), Never():
            return True
        case Optional(of), Optional(inner):
            return unify(of, inner, bindings)
        case Optional(of), _:
            return unify(of, actual, bindings)
        case _:
            return fits(actual, pattern)


def _is_of_kind(of: Type, kind: str) -> bool:
    match kind:
        case "number":
            return fits(of, FLOAT)
        case "whole":
            return fits(of, INT)
        case "ordered":
            return any(fits(of, one) for one in (STR, FLOAT, BOOL))
        case _:
            return True


def substitute(pattern: Type, bindings: Mapping[str, Type]) -> Type:
    """The pattern with its variables replaced; an unbound one is not known."""
    match pattern:
        case Var(name):
            return bindings.get(name, UNKNOWN)
        case Optional(of):
            return optional(substitute(of, bindings))
        case Again():  # declared, so without variables
            return pattern
        case _:
            return mapped(pattern, lambda part: substitute(part, bindings))
