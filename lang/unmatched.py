"""The fields that a left join brought: where there is no match, all of them are null at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from dpipe.lang import graph
from dpipe.lang.diagnostics import Bag, Diagnostic, Label
from dpipe.lang.source import Span
from dpipe.lang.types import may_be_null


def left_joined(nodes: Sequence[graph.Node], at: int) -> set[str]:
    """The fields that only a left join, as far as the stages above a node go, lets be null."""
    found: set[str] = set()
    while at >= 0 and isinstance(node := nodes[at], graph.StageNode):
        other = node.args.get("other")
        if isinstance(other, graph.Input) and node.args.get("kind") == graph.Const("left"):
            theirs = nodes[other.node]
            if not isinstance(theirs, graph.SinkNode):
                found |= {f.name for f in theirs.row.fields if not may_be_null(f.type)}
        at = node.input
    return found


def tell_together(bag: Bag, start: int, joined: set[str], text: Callable[[Span], str]) -> None:
    """Of what was found since ``start``, all fields of left joins in one finding."""
    fields: dict[str, None] = {}
    parts: list[Diagnostic] = []
    for finding in bag.since(start):
        field = text(finding.span).strip("{}")
        if finding.code == "E0309" and field.startswith(".") and field[1:] in joined:
            fields[field] = None
            parts.append(finding)
    if len(fields) > 1:
        bag.fold(parts, _whole(parts, list(fields)))


def _whole(parts: Sequence[Diagnostic], fields: Sequence[str]) -> Diagnostic:
    *others, last = [f"`{field}`" for field in fields]
    test = " and ".join(f"{field} != null" for field in fields)
    return replace(
        parts[0],
        message=f"{', '.join(others)} and {last} are null where the join found no match",
        labels=tuple(Label(part.span, "may be null") for part in parts[1:]),
        help=f"leave those rows out: `| where({test})`, or join without `kind:`",
    )
