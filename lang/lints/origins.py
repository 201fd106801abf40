"""Where the value of each field comes from: from the sources downwards.

The origins of a field are nodes: the source or ``chunk`` that its text is of, or the ``ask`` that
it was answered by, whatever has been computed from it since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from dpipe.lang import graph
from dpipe.lang.lints.reading import made_of, name_of, written

if TYPE_CHECKING:
    from dpipe.lang.lints.subject import Subject

Fields: TypeAlias = dict[str, frozenset[int]]
NONE: frozenset[int] = frozenset()


class Origins:
    """``rows[at]`` are the origins of each field of the rows of node ``at``."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.rows: list[Fields] = [{} for _ in subject.nodes]
        self._pass()
        while subject.loop_of and self._pass():  # the rows of a loop go round
            pass

    def _pass(self) -> bool:
        """Whether a walk over all nodes finds something new."""
        before = list(self.rows)
        for at, node in enumerate(self.subject.nodes):
            self.rows[at] = self._node(at, node)
        return before != self.rows

    def of(self, value: object, at: int) -> frozenset[int]:
        """The origins of a value that is made of the rows of node ``at``."""
        known = self.rows[at]
        return _union(known.get(path[0], NONE) for path in made_of(value))

    def _node(self, at: int, node: graph.Node) -> Fields:
        match node:
            case graph.SourceNode(row=row):
                return dict.fromkeys(row.names(), frozenset((at,)))
            case graph.StageNode():
                return self._stage(at, node)
            case graph.EntryNode():
                loop = self.subject.loop_of.get(at)
                return {} if loop is None else self._merged((loop.input, loop.exit))
            case _:
                return self._merged(graph.inputs_of(node))

    def _merged(self, nodes: Iterable[int]) -> Fields:
        merged: Fields = {}
        for at in nodes:
            for name, origins in self.rows[at].items():
                merged[name] = merged.get(name, NONE) | origins
        return merged

    def _stage(self, at: int, node: graph.StageNode) -> Fields:
        known, args = self.rows[node.input], node.args
        found: Fields = {}
        match node.stage:
            case "set" | "keep":
                found = self._entries(args.get("fields"), node.input)
            case "unnest":
                element = known.get(name_of(node, "field"), NONE)
                new = set(node.row.names()) - set(self.subject.row_before(node).names())
                found = dict.fromkeys([name_of(node, "as") or "", *new], element)
                found[name_of(node, "index")] = NONE
            case "ask":
                found = dict.fromkeys(written(node), frozenset((at,)))
                found[name_of(node, "meta")] = NONE
            case "chunk":
                piece = self.of(args.get("text"), node.input) | {at}
                found = dict.fromkeys(written(node), NONE)
                found |= dict.fromkeys((name_of(node, "as"), name_of(node, "headings")), piece)
            case "embed":
                found = {name_of(node, "as"): self.of(args.get("text"), node.input)}
            case "join" | "retrieve":
                found = self._other(node)
            case "group":
                found = self._entries(args.get("by"), node.input)
                found |= self._entries(args.get("figures"), node.input)
        return {name: found.get(name, known.get(name, NONE)) for name in node.row.names()}

    def _entries(self, fields: object, at: int) -> Fields:
        if not isinstance(fields, graph.Fields | graph.Figures):
            return {}
        return {name: self.of(value, at) for name, value in fields.entries}

    def _other(self, node: graph.StageNode) -> Fields:
        other = node.args.get("other") or node.args.get("corpus")
        if not isinstance(other, graph.Input):
            return {}
        theirs = self.rows[other.node]
        if node.stage == "retrieve":
            return {name_of(node, "as"): _union(theirs.values())}
        mine = self.subject.row_before(node).names()
        return {name: origins for name, origins in theirs.items() if name not in mine}


def _union(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    return NONE.union(*sets)
