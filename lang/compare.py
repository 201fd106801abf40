"""What comparisons tell before any row is seen: values that never meet, tests that never vary."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Bag
from dpipe.lang.env import Typed
from dpipe.lang.names import misspelt
from dpipe.lang.source import Span
from dpipe.lang.types import (
    KEY_ONLY,
    Enum,
    Float,
    Int,
    Json,
    List,
    Never,
    Null,
    Record,
    Str,
    Type,
    Union,
    Unknown,
    holds_secret,
    may_be_null,
    quote,
    required,
    show_short,
)

if TYPE_CHECKING:
    from dpipe.lang.expressions import Expressions

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Comparisons:
    def __init__(self, bag: Bag) -> None:
        self.bag = bag

    def check(
        self, node: syntax.Binary, left: Typed, right: Typed, expressions: Expressions
    ) -> None:
        """Report operands that cannot be compared, and comparisons that always come out alike."""
        if holds_secret(left.type) or holds_secret(right.type):
            self.bag.add("E0607", node.span, "a secret cannot be compared", help=KEY_ONLY)
            return
        if self.bag.has("E0121", node.op_span):
            return  # a chain, which parsing has told
        if node.op in ("==", "!="):
            if isinstance(left.type, Null) or isinstance(right.type, Null):
                self._null_test(node, left, right)
                return
        else:
            for side in (left, right):
                if may_be_null(side.type):
                    expressions.may_be_null(side)
                    return
        one, two = required(left.type), required(right.type)
        if not _comparable(one, two, ordered=node.op not in ("==", "!=")):
            self.bag.add(
                "E0303",
                node.op_span,
                f"`{node.op}` cannot compare {show_short(one)} with {show_short(two)}",
                help=_compare_help(left, right, expressions),
            )
        elif not self._outside(left, right, two) and not self._outside(right, left, one):
            self._constant(node, left, right)

    def members(self, left: Typed, node: syntax.Expr, right: Typed) -> None:
        """Report list elements that the left side can never be."""
        assert isinstance(right.type, List)
        if holds_secret(left.type) or holds_secret(right.type):
            self.bag.add("E0607", right.span, "a secret cannot be compared", help=KEY_ONLY)
            return
        inner = required(left.type)
        if not _comparable(inner, required(right.type.of), ordered=False):
            self.bag.add(
                "E0303",
                right.span,
                f"`in` cannot find {show_short(inner)} in {show_short(right.type)}",
            )
        elif isinstance(inner, Enum) and isinstance(node, syntax.ListExpr):
            for item in node.items:
                if isinstance(item, syntax.StringExpr) and item.constant is not None:
                    self._member(item.span, item.constant, inner)

    def not_members(self, found: Typed, wanted: Enum) -> None:
        """Report the texts of an enum that another one does not have."""
        assert isinstance(found.type, Enum)
        outside = [value for value in found.type.values if value not in wanted.values]
        self._member(found.span, outside[0], wanted)

    def _outside(self, place: Typed, constant: Typed, of_constant: Type) -> bool:
        inner = required(place.type)
        if not isinstance(inner, Enum) or isinstance(place.expr, graph.Const):
            return False
        if not isinstance(constant.expr, graph.Const) or not isinstance(of_constant, Enum):
            return False
        return self._member(constant.span, of_constant.values[0], inner)

    def _member(self, span: Span, value: str, of: Enum) -> bool:
        if value in of.values:
            return False
        listed = ", ".join(quote(member) for member in of.values)
        misspelt(
            self.bag,
            "E0310",
            span,
            quote(value),
            f"{quote(value)} is not one of {listed}",
            [quote(member) for member in of.values],
        )
        return True

    def _null_test(self, node: syntax.Binary, left: Typed, right: Typed) -> None:
        place = right if isinstance(left.type, Null) else left
        if not may_be_null(place.type) and not isinstance(place.type, Json | Unknown | Never):
            outcome = "false" if node.op == "==" else "true"
            self.bag.add(
                "W0304",
                node.span,
                f"{show_short(place.type)} is never null: this is always {outcome}",
            )

    def _constant(self, node: syntax.Binary, left: Typed, right: Typed) -> None:
        """Compare the bounds of both sides."""
        one, two = required(left.type), required(right.type)
        if not isinstance(one, Int | Float) or not isinstance(two, Int | Float):
            return
        if isinstance(left.expr, graph.Const) and isinstance(right.expr, graph.Const):
            return
        outcome = _outcome(node.op, one, two)
        if outcome is None or may_be_null(left.type) or may_be_null(right.type):
            return
        ranged = one if isinstance(right.expr, graph.Const) else two
        self.bag.add(
            "W0301",
            node.span,
            f"this is always {'true' if outcome else 'false'}: the value is in "
            f"{show_short(ranged)}",
        )


def _outcome(op: str, one: Int | Float, two: Int | Float) -> bool | None:
    """What the comparison gives for all values of two ranges, None where it varies."""
    low1, high1 = _bounds(one)
    low2, high2 = _bounds(two)
    if op in ("==", "!="):
        apart = high1 < low2 or high2 < low1
        return (op == "!=") if apart else None
    if op in (">", ">="):
        low1, high1, low2, high2 = low2, high2, low1, high1
        op = "<" if op == ">" else "<="
    compare = _OPERATORS[op]
    if compare(high1, low2):
        return True
    return None if compare(low1, high2) else False


def _bounds(of: Int | Float) -> tuple[float, float]:
    low = float("-inf") if of.low is None else of.low
    high = float("inf") if of.high is None else of.high
    return low, high


def _comparable(one: Type, two: Type, *, ordered: bool) -> bool:
    for side in (one, two):
        if isinstance(side, Unknown | Never | Union) or (isinstance(side, Json) and not ordered):
            return True
    numbers = isinstance(one, Int | Float) and isinstance(two, Int | Float)
    texts = isinstance(one, Str | Enum) and isinstance(two, Str | Enum)
    if numbers or texts:
        return True
    if ordered:
        return False
    if isinstance(one, List) and isinstance(two, List):
        return _comparable(required(one.of), required(two.of), ordered=False)
    if isinstance(one, Record) and isinstance(two, Record):
        return True
    return type(one) is type(two)


def _compare_help(left: Typed, right: Typed, expressions: Expressions) -> str | None:
    """The edit that makes a text and a number, or json and either, comparable."""
    for one, other in ((left, right), (right, left)):
        if isinstance(record := required(one.type), Record) and record.fields:
            kind = Int | Float if _is_number(other.type) else Str | Enum
            of_kind = [f.name for f in record.fields if isinstance(required(f.type), kind)]
            name = (of_kind or record.names())[0]
            return f"read one of its fields: `{expressions.text(one.span)}.{name}`"
        if isinstance(required(one.type), Json):
            return "convert the json first: `float(x)`, `int(x)` or `str(x)`"
        if _is_number(one.type) and isinstance(required(other.type), Str | Enum):
            written = other.expr.value if isinstance(other.expr, graph.Const) else None
            if isinstance(written, str) and _NUMBER.fullmatch(written):
                return f"write `{written}`"
            return f"convert the number: `str({expressions.text(one.span)})`"
    return None


def _is_number(of: Type) -> bool:
    return isinstance(required(of), Int | Float)


_NUMBER = re.compile(r"\d+(\.\d+)?")
