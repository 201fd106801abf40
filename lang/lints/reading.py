"""Which places of a row an expression reads, and of which its value is made.

A path is the field's name and the names behind it: ``.qa.quote`` is ``("qa", "quote")``. Lists
are looked through: it also stands for the quote of each element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

from dpipe.lang import graph
from dpipe.lang.stages import STAGES
from dpipe.lang.types import Type

Path: TypeAlias = tuple[str, ...]
Scope: TypeAlias = Mapping[str, Path | None]
"""What locals stand for, as paths with their root; None for what is no place."""

ROW = "."
COUNT = "$count"
"""Behind a path: only how many elements there are is read."""

_FOLDS = frozenset(("any", "every", "count", "mean", "sum", "min", "max", "mode"))
_CHOICES = frozenset(("filter", "max_by", "min_by", "sort_by", "first", "last", "pick"))


def row_paths(value: object, wanted: Path = (), scope: Scope | None = None) -> Iterator[Path]:
    """The places of the stage's row that a value reads, when ``wanted`` of it is read."""
    for path in reads(value, wanted, scope or {}):
        if path[0] == ROW:
            yield path[1:]


def reads(value: object, wanted: Path, scope: Scope) -> Iterator[Path]:
    """As ``row_paths``, each path with its root: ``.`` for the row, else a local's name."""
    match value:
        case str() | int() | float() | None | graph.Const():
            return
        case graph.Field(name):
            yield (ROW, name, *wanted)
        case graph.Local(name):
            base = scope.get(name, (name,))
            if base is not None:
                yield (*base, *wanted)
        case graph.Attr(of, name):
            yield from reads(of, (name, *wanted), scope)
        case graph.Index(of, at):
            yield from reads(of, wanted, scope)
            yield from reads(at, (), scope)
        case graph.If(test, then, otherwise):
            yield from reads(test, (), scope)
            yield from reads(then, wanted, scope)
            yield from reads(otherwise, wanted, scope)
        case graph.Binary("??" | "+", left, right):
            yield from reads(left, wanted, scope)
            yield from reads(right, wanted, scope)
        case graph.ListOf(items):
            for item in items:
                yield from reads(item, wanted, scope)
        case graph.RecordOf(entries):
            for name, entry in entries:
                if not wanted or wanted[0] == name:
                    yield from reads(entry, wanted[1:], scope)
        case graph.Call(function, (graph.Expr() as xs, graph.Lambda() as by, *_)):
            yield from _over(function, xs, by, wanted, scope)
        case graph.Call(function, (graph.Expr() as xs,)) if function in _CHOICES:
            yield from reads(xs, wanted, scope)
        case graph.Lambda(param, body):
            yield from reads(body, (), {**scope, param: None})
        case _:
            for part in parts(value):
                yield from reads(part, (), scope)


def _over(
    function: str, xs: graph.Expr, by: graph.Lambda, wanted: Path, scope: Scope
) -> Iterator[Path]:
    """A function over a list reads of each element what its lambda reads."""
    listed = list(reads(xs, (), scope))
    known = function in _FOLDS or function in _CHOICES or function == "map"
    if not known or path_of(xs, scope) is None:
        yield from listed
        yield from reads(by.body, (), {**scope, by.param: None})
        return
    inner = {**scope, by.param: listed[0] if listed else None}
    yield from ((*path, COUNT) for path in listed)
    yield from reads(by.body, wanted if function == "map" else (), inner)
    if function in _CHOICES:
        yield from reads(xs, wanted, scope)


def path_of(expr: graph.Expr, scope: Scope) -> Path | None:
    """The one place that an expression is, if it is one."""
    match expr:
        case graph.Field(name):
            return (ROW, name)
        case graph.Local(name):
            return scope.get(name, (name,))
        case graph.Attr(of, name):
            path = path_of(of, scope)
            return None if path is None else (*path, name)
        case _:
            return None


def made_of(value: object, scope: Scope | None = None) -> Iterator[Path]:
    """The places of the row that are in a value; what only a condition reads is not."""
    match value:
        case graph.If(_, then, otherwise):
            yield from made_of(then, scope)
            yield from made_of(otherwise, scope)
        case graph.Field() | graph.Local() | graph.Attr():
            yield from row_paths(value, (), scope)
        case graph.Lambda(param, body):
            yield from made_of(body, {**(scope or {}), param: None})
        case _:
            for part in parts(value):
                yield from made_of(part, scope)


def parts(value: object) -> Iterable[object]:
    """What a value of the graph is put together of."""
    match value:
        case Type():
            return ()
        case Struct():
            return astuple(value)
        case tuple() | list():
            return value
        case dict():
            return value.values()
        case _:
            return ()


def inside(value: object) -> Iterator[object]:
    """A value of the graph and all that it is put together of."""
    yield value
    for part in parts(value):
        yield from inside(part)


def name_of(node: graph.StageNode, label: str) -> str:
    """The field that an argument of a stage names; empty where it is left out."""
    arg = node.args.get(label)
    return str(arg.value) if isinstance(arg, graph.Const) else ""


def written(node: graph.StageNode) -> set[str]:
    """The fields that a stage's arguments name for it to write."""
    stage = STAGES.get(node.stage)
    params = () if stage is None else stage.params
    return {name_of(node, param.name) for param in params if param.kind == "new"} - {""}


def fields_read(value: object) -> set[str]:
    """The row's fields that a value reads."""
    return {path[0] for path in row_paths(value)}
