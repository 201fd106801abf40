"""What a test expects, with the parts of it whose values tell why it is not so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from dpipe.lang import graph, syntax
from dpipe.lang.env import Env
from dpipe.lang.expressions import Expressions
from dpipe.lang.source import Span
from dpipe.lang.types import BOOL


class Expects:
    def __init__(self, expressions: Expressions, place: Callable[[Span], graph.Place]) -> None:
        self.expressions = expressions
        self.bag = expressions.bag
        self.place = place

    def of(self, node: syntax.Expr, env: Env) -> graph.Expect:
        """An expectation; flows are among the locals of ``env``."""
        found = self.expressions.expect(node, env, BOOL, "`expect:`")
        with self.bag.capture():  # what is wrong in a part has been told
            parts = [self._part(part, env) for part in _parts(node)]
        told = {part.text: part for part in parts if read_by(part.value)}
        whole = graph.Part(self._text(node.span), found.expr)
        return graph.Expect(whole, tuple(told.values()), self.place(node.span))

    def _part(self, node: syntax.Expr, env: Env) -> graph.Part:
        return graph.Part(self._text(node.span), self.expressions.of(node, env).expr)

    def _text(self, span: Span) -> str:
        text = self.expressions.names.program.sources[span.file].text[span.start : span.end]
        return " ".join(text.split())


def _parts(node: syntax.Expr) -> Iterator[syntax.Expr]:
    """The parts that have a value of their own, each before its own parts.

    Inside a lambda a value hangs on the element; the ends of a range are no news.
    """
    for inner in _inside(node):
        if not isinstance(inner, syntax.Binary) or inner.op != "..":
            yield inner
        yield from _parts(inner)


def _inside(node: syntax.Expr) -> tuple[syntax.Expr, ...]:
    match node:
        case syntax.Attr(of=of):
            return (of,)
        case syntax.Call(args=args):
            return tuple(arg.value for arg in args if not isinstance(arg.value, syntax.Lambda))
        case syntax.Index(of=of, index=index):
            return (of, index)
        case syntax.Binary(left=left, right=right):
            return (left, right)
        case syntax.Unary(operand=operand):
            return (operand,)
        case syntax.If(test=test, then=then, otherwise=otherwise):
            return (test, then, otherwise)
        case syntax.ListExpr(items=items):
            return items
        case syntax.RecordExpr(entries=entries):
            return tuple(entry.value for entry in entries)
        case _:
            return ()


def read_by(expr: Any, bound: frozenset[str] = frozenset()) -> frozenset[str]:
    """The locals that an expression reads, but for its own lambdas' variables."""
    match expr:
        case graph.Local(name):
            return frozenset() if name in bound else frozenset({name})
        case graph.Lambda(param, body):
            return read_by(body, bound | {param})
        case Struct():
            inside = [getattr(expr, name) for name in expr.__struct_fields__]
        case tuple():
            inside = list(expr)
        case _:
            return frozenset()
    return frozenset().union(*(read_by(part, bound) for part in inside))
