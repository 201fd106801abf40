"""Operators: arithmetic, logic, ``??`` and ``in``, each with its types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dpipe.lang import graph, syntax
from dpipe.lang.compare import Comparisons
from dpipe.lang.env import Env, Typed, facts_when
from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    KEY_ONLY,
    NEVER,
    NULL,
    STR,
    UNKNOWN,
    Enum,
    Float,
    Int,
    Json,
    List,
    Never,
    Null,
    Optional,
    Secret,
    Str,
    Type,
    Unknown,
    holds_secret,
    may_be_null,
    required,
    show_short,
    widen,
    without_ranges,
)

if TYPE_CHECKING:
    from dpipe.lang.expressions import Expressions


_PATH = re.compile(r"\.?\w+(\.\w+)*")
RANGE = "a range"


class Operators:
    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.bag = expressions.bag
        self.comparisons = Comparisons(self.bag)

    def binary(self, node: syntax.Binary, env: Env) -> Typed:
        match node.op:
            case "and" | "or":
                return self._logic(node, env)
            case "??":
                return self._coalesce(node, env)
            case "..":
                self.bag.add("E0113", node.span, "a range stands behind `in` or inside `[ ]`")
                return self.expressions.unknown(node)
            case "in":
                return self._in(node, env)
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                left, right = (
                    self.expressions.of(node.left, env),
                    self.expressions.of(node.right, env),
                )
                self.comparisons.check(node, left, right, self.expressions)
                return Typed(graph.Binary(node.op, left.expr, right.expr), BOOL, node.span)
        return self._arithmetic(node, env)

    def _logic(self, node: syntax.Binary, env: Env) -> Typed:
        left = self.expressions.expect(node.left, env, BOOL, f"`{node.op}`")
        known = facts_when(left.expr, self.expressions.places, node.op == "and")
        if (whole := self._half(node)) is not None:
            help = f"each side is a whole comparison: `{whole}`"
            message = f"`{node.op}` needs bool, found a value alone"
            self.bag.add("E0303", node.right.span, message, help=help)
            return Typed(graph.Binary(node.op, left.expr, left.expr), BOOL, node.span)
        right = self.expressions.expect(node.right, env.knowing(known), BOOL, f"`{node.op}`")
        return Typed(graph.Binary(node.op, left.expr, right.expr), BOOL, node.span)

    def _half(self, node: syntax.Binary) -> str | None:
        """`.x == "a" or "b"`: the comparison that the right side is half of."""
        left, right, text = node.left, node.right, self.expressions.text
        if not isinstance(left, syntax.Binary) or left.op not in ("==", "!="):
            return None
        number = isinstance(right, syntax.Literal) and type(right.value) in (int, float)
        if not number and not isinstance(right, syntax.StringExpr):
            return None
        return f"{text(left.left.span)} {left.op} {text(right.span)}"

    def _coalesce(self, node: syntax.Binary, env: Env) -> Typed:
        left, right = self.expressions.of(node.left, env), self.expressions.of(node.right, env)
        if not isinstance(left.type, Optional | Null | Json | Unknown):
            self.bag.add(
                "W0304",
                node.op_span,
                f"{show_short(left.type)} is never null: what follows `??` is not used",
            )
        kept = NEVER if isinstance(left.type, Null) else required(left.type)
        type = widen(kept, right.type)
        if isinstance(left.type, Json) and not holds_secret(type):
            type = JSON
        return Typed(graph.Binary("??", left.expr, right.expr), type, node.span)

    def _in(self, node: syntax.Binary, env: Env) -> Typed:
        left = self.expressions.of(node.left, env)
        if isinstance(node.right, syntax.Binary) and node.right.op == "..":
            right = self.range(node.right, env)
            if not isinstance(required(left.type), Int | Float | Unknown | Json):
                self.bag.add(
                    "E0303",
                    left.span,
                    f"`in` a range needs a number, found {show_short(left.type)}",
                )
            return Typed(graph.Binary("in", left.expr, right), BOOL, node.span)
        found = self.expressions.of(node.right, env)
        if isinstance(found.type, List):
            self.comparisons.members(left, node.right, found)
        elif not isinstance(found.type, Unknown | Json | Never):
            hint = "to look inside a text, write `contains(text, part)`"
            self.bag.add(
                "E0303",
                found.span,
                f"`in` needs a list or a range, found {show_short(found.type)}",
                help=hint if isinstance(found.type, Str | Enum) else None,
            )
        return Typed(graph.Binary("in", left.expr, found.expr), BOOL, node.span)

    def range(
        self, node: syntax.Binary, env: Env, of: Type = FLOAT, what: str = RANGE
    ) -> graph.Range:
        low = self.expressions.expect(node.left, env, of, what)
        high = self.expressions.expect(node.right, env, of, what)
        match low.expr, high.expr:
            case graph.Const(int() | float() as a), graph.Const(int() | float() as b) if a > b and (
                what == RANGE or (a < 0) == (b < 0)  # of elements, negative ones are from the end
            ):
                self.bag.add("E0305", node.span, "empty range", help=f"write `{b}..{a}`")
        return graph.Range(low.expr, high.expr)

    def _arithmetic(self, node: syntax.Binary, env: Env) -> Typed:
        left, right = self.expressions.of(node.left, env), self.expressions.of(node.right, env)
        expr = graph.Binary(node.op, left.expr, right.expr)
        usable = [self._operand(side, node) for side in (left, right)]
        if not all(usable):
            return Typed(expr, UNKNOWN, node.span)
        type = _sum_type(node.op, left.type, right.type)
        if type is None:
            help = f"put values into a text with braces: `{self._template(node)}`"
            mixed = isinstance(left.type, Str | Enum) != isinstance(right.type, Str | Enum)
            self.bag.add(
                "E0303",
                node.op_span,
                f"`{node.op}` cannot take {_kind(left.type)} and {_kind(right.type)}",
                help=help if node.op == "+" and mixed else None,
            )
            return Typed(expr, UNKNOWN, node.span)
        return Typed(expr, type, node.span)

    def _template(self, node: syntax.Binary) -> str:
        """A sum of texts and fields as the one text that it should be."""
        parts: list[str] = []
        left: syntax.Expr = node
        while isinstance(left, syntax.Binary) and left.op == "+":
            parts.insert(0, self._part(left.right))
            left = left.left
        text = "".join([self._part(left), *parts])
        plain = len(text) <= 60 and "?" not in text
        return f'"{text}"' if plain else '"{.a} and {.b}"'

    def _part(self, node: syntax.Expr) -> str:
        """What a text holds of an operand; "?" where it cannot stand in one."""
        written = self.expressions.text(node.span)
        if isinstance(node, syntax.StringExpr):
            return written[1:-1]
        return f"{{{written}}}" if _PATH.fullmatch(written) else "?"

    def _operand(self, side: Typed, node: syntax.Binary) -> bool:
        if may_be_null(side.type):
            self.expressions.may_be_null(side)
            return False
        if isinstance(side.type, Secret):
            self.bag.add("E0607", side.span, "a secret cannot be put into a text", help=KEY_ONLY)
            return False
        if isinstance(side.type, Json):
            self.bag.add(
                "E0303",
                side.span,
                f"`{node.op}` cannot take json",
                help="convert it first: `int(x)`, `float(x)` or `str(x)`",
            )
            return False
        return not isinstance(side.type, Unknown)

    def unary(self, node: syntax.Unary, env: Env) -> Typed:
        if node.op == "not":
            operand = self.expressions.expect(node.operand, env, BOOL, "`not`")
            return Typed(graph.Unary("not", operand.expr), BOOL, node.span)
        operand = self.expressions.expect(node.operand, env, FLOAT, "`-`")
        match operand.expr, operand.type:
            case graph.Const(int() | float() as value), _:
                return Typed(graph.Const(-value), literal_type(-value), node.span)
            case expr, Int():
                return Typed(graph.Unary("-", expr), INT, node.span)
            case expr, _:
                return Typed(graph.Unary("-", expr), FLOAT, node.span)


def _kind(of: Type) -> str:
    """A type without what its values are."""
    return "str" if isinstance(of, Enum) else show_short(without_ranges(of))


def literal_type(value: object) -> Type:
    match value:
        case bool():
            return BOOL
        case int():
            return Int(value, value)
        case float():
            return Float(value, value)
        case _:
            return NULL


def _sum_type(op: str, left: Type, right: Type) -> Type | None:
    """The type of ``left op right`` for required operands, None where there is none."""
    numbers = isinstance(left, Int | Float) and isinstance(right, Int | Float)
    if numbers and op == "/":
        return FLOAT
    if numbers:
        return INT if isinstance(left, Int) and isinstance(right, Int) else FLOAT
    if op != "+":
        return None
    if isinstance(left, Str | Enum) and isinstance(right, Str | Enum):
        return STR
    if isinstance(left, List) and isinstance(right, List):
        return List(widen(left.of, right.of))
    return None
