"""Figures: labelled expressions over aggregates, as of ``report`` and ``group``."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.env import Env
from dpipe.lang.expressions import Expressions
from dpipe.lang.types import KEY_ONLY, Type, holds_secret

Figures = tuple[tuple[str, graph.Computed], ...]


def figures_of(
    expressions: Expressions, args: Sequence[syntax.Arg], env: Env
) -> tuple[Figures, list[tuple[str, Type]]]:
    """Each figure, and each one's type."""
    found: dict[str, graph.Computed] = {}
    types: list[tuple[str, Type]] = []
    for arg in args:
        if arg.label is None:
            message = "a figure needs a label, as `rows: count()`"
            expressions.bag.add("E0506", arg.span, message)
            continue
        name = arg.label.text
        if name in found:
            expressions.bag.add("E0506", arg.label.span, f"`{name}` is given twice")
            continue
        metrics: list[graph.Metric] = []
        inside = replace(env, aggregates=metrics, figure=arg.value)
        with expressions.bag.capture() as told:
            value = expressions.of(arg.value, inside)
        expressions.bag.extend(told)
        if holds_secret(value.type) and not told.has_errors:
            message = "a secret cannot be put into a figure"
            expressions.bag.add("E0607", value.span, message, help=KEY_ONLY)
        found[name] = graph.Computed(tuple(metrics), value.expr)
        types.append((name, value.type))
    return tuple(found.items()), types
