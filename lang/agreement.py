"""Whether the Python behind an ``extern`` agrees with it, as far as reading tells.

How each kind is called says what must be there: which arguments are given, in their order or by
their labels, which methods are called, and what type each value has.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from keyword import iskeyword
from typing import TypeAlias

from msgspec import Struct

from dpipe.lang import syntax

Callable: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

METHODS: dict[str, tuple[tuple[str, int], ...]] = {
    "sink": (("put", 1), ("close", 0)),
    "metric": (("add", 1), ("result", 0)),
}
"""The methods of the classes behind a kind, each with how many values it is called with."""

_FIRST = {"pipe": ("rows",), "sink": ("out", "row")}
"""What is given before everything else, in this order, whatever it is called there."""
_FREE = {"source": frozenset({"context"})}
"""What is given where it is taken."""


class Shape(Struct, frozen=True):
    """The parameters of a function, without its ``self``; ``needed`` have no default.

    ``rest`` takes any further arguments in order, ``labels`` any by label.
    """

    ordered: tuple[str, ...]
    by_label: tuple[str, ...]
    needed: frozenset[str]
    rest: bool
    labels: bool

    @property
    def names(self) -> tuple[str, ...]:
        return self.ordered + self.by_label


def shape_of(args: ast.arguments, *, method: bool = False) -> Shape:
    ordered = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    needed = ordered[: len(ordered) - len(args.defaults)]
    by_label = [arg.arg for arg in args.kwonlyargs]
    needed += [n for n, value in zip(by_label, args.kw_defaults, strict=True) if value is None]
    own = ordered[:1] if method else []
    return Shape(
        tuple(ordered[len(own) :]),
        tuple(by_label),
        frozenset(needed) - frozenset(own),
        args.vararg is not None,
        args.kwarg is not None,
    )


NO_SHAPE = Shape((), (), frozenset(), rest=False, labels=False)
"""The parameters of a class without an ``__init__``."""


def given(item: syntax.ExternItem, is_option: Sequence[bool]) -> list[str]:
    """The names of the arguments that the Python is called with.

    ``is_option`` says of each declared parameter whether it is given to it at all.
    """
    names = [param.name.text for param, one in zip(item.params, is_option, strict=True) if one]
    return [*_FIRST.get(item.kind, ()), *map(in_python, names)]


def in_python(label: str) -> str:
    """A label as Python writes it: its own words have an underscore behind."""
    return f"{label}_" if iskeyword(label) else label


def takes(shape: Shape, item: syntax.ExternItem, names: Sequence[str]) -> bool:
    """Whether a function can be called as an extern of this kind calls it."""
    if item.kind == "def":
        return _takes_in_order(shape, names)
    first = len(_FIRST.get(item.kind, ()))
    if first > len(shape.ordered) and not shape.rest:
        return False
    names, taken = names[first:], frozenset(shape.names[first:])
    left = shape.needed - frozenset(shape.ordered[:first]) - frozenset(names)
    known = shape.labels or taken.issuperset(names)
    return known and left <= _FREE.get(item.kind, frozenset())


def takes_count(shape: Shape, count: int) -> bool:
    """Whether so many values can be given, in their order."""
    ordered = shape.ordered[:count]
    return (shape.rest or len(ordered) == count) and shape.needed <= frozenset(ordered)


def _takes_in_order(shape: Shape, names: Sequence[str]) -> bool:
    """Those of the function's parameters that are given must have the declared names."""
    if not shape.rest and len(names) > len(shape.ordered):
        return False
    known = shape.ordered[: len(names)]
    return list(known) == list(names[: len(known)]) and shape.needed <= frozenset(known)


def method_of(cls: ast.ClassDef, name: str) -> Callable | None:
    for node in cls.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
    return None


def has_attribute(cls: ast.ClassDef, name: str) -> bool:
    """Whether a class's body binds a name by something other than ``def``."""
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
        for stmt in cls.body
        for node in ast.walk(stmt)
    )


def is_open(cls: ast.ClassDef) -> bool:
    """Whether a class has more than its body says: bases, a metaclass, or decorators."""
    bases = [base for base in cls.bases if not (isinstance(base, ast.Name) and base.id == "object")]
    return bool(bases or cls.keywords or cls.decorator_list)


def is_plain_generator(function: Callable) -> bool:
    """Whether it yields, and is not ``async``."""
    return isinstance(function, ast.FunctionDef) and any(
        isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function)
    )


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside."""
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own_nodes(node)
