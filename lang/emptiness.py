"""Sinks that no row can ever reach, as far as the program's text tells."""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang import graph
from dpipe.lang.diagnostics import Label
from dpipe.lang.flows import Flows
from dpipe.lang.names import Decl
from dpipe.lang.rows import NOWHERE
from dpipe.lang.source import Span

_NONE = graph.Const(0)


def dead_sinks(flows: Flows, sinks: Sequence[Decl]) -> None:
    """Report each sink whose rows all end at a stage or source that gives none."""
    named = {decl.name.text: decl.name for decl in sinks}
    ends: dict[int, int] = {}
    for at, node in enumerate(flows.nodes):
        if (end := _end(at, node, ends)) is None:
            continue
        ends[at] = end
        if isinstance(node, graph.SinkNode):
            name = named[node.name]
            message = f"sink `{name.text}` reads an always-empty flow"
            labels = [Label(span, "nothing comes from here") for span in _spans(flows, end)]
            flows.bag.add("E0518", name.span, message, labels=labels)


def _spans(flows: Flows, at: int) -> list[Span]:
    node = flows.nodes[at]
    if isinstance(node, graph.SourceNode):
        decl = flows.names.keyed(flows.names.program.root, node.name)
        return [] if decl is None else [decl.name.span]
    return [flows.calls[at].span] if at in flows.calls else []


def _end(at: int, node: graph.Node, ends: dict[int, int]) -> int | None:
    """The node at which the rows of this one have all ended."""
    if _lets_none_through(node):
        return at
    match node:
        case graph.ConcatNode(inputs=inputs):
            return ends.get(inputs[0]) if all(one in ends for one in inputs) else None
        case graph.StageNode(stage="join", args=args) if args.get("kind") != graph.Const("left"):
            other = args.get("other")
            return ends.get(node.input, ends.get(getattr(other, "node", NOWHERE)))
        case graph.SourceNode() | graph.EntryNode():
            return None
        case _:
            return ends.get(node.input)


def _lets_none_through(node: graph.Node) -> bool:
    match node:
        case graph.SourceNode(args=args):
            return args.get("records") == graph.ListOf(()) or args.get("n") == _NONE
        case graph.StageNode(stage="where", args=args):
            return args.get("test") == graph.Const(False)
        case graph.StageNode(stage="limit" | "sample" | "select", args=args):
            return _NONE in (args.get("n"), args.get("share"))
        case _:
            return False
