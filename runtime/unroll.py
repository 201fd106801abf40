"""Loops as what they come to: a copy of the body for each round, and small nodes between.

Pure, before the run. Nodes of the body that hang on a loop's entry are copied, the others are
shared by the rounds. What follows a round reads the copy of its exit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from dpipe.lang.graph import (
    ConcatNode,
    EntryNode,
    Expr,
    Graph,
    Input,
    LeaveNode,
    LoopNode,
    Node,
    RoundNode,
    SourceNode,
    StageNode,
    inputs_of,
)
from dpipe.runtime.errors import NoValue, UsageError

MOST = 1000
"""Rounds of a loop; each is a copy of its body."""

Entries = Mapping[int, int]
"""For the entry of each loop around, the outermost first, the node that stands for it."""

T = TypeVar("T")


def unroll(program: Graph, constant: Callable[[Expr], Any]) -> Graph:
    """The graph without loops; raises ``UsageError`` for a number of rounds that cannot be."""
    if not any(isinstance(node, LoopNode) for node in program.nodes):
        return program
    unrolling = _Unrolling(program, constant)
    for index in range(len(program.nodes)):
        if not unrolling.hangs_on[index]:
            unrolling.copy(index, {})
    sinks = tuple(unrolling.copy(index, {}) for index in program.sinks)
    return replace(program, nodes=tuple(unrolling.nodes), sinks=sinks)


class _Unrolling:
    """The new nodes so far. ``hangs_on`` are, per old node, the entries whose rounds it is in."""

    def __init__(self, program: Graph, constant: Callable[[Expr], Any]) -> None:
        self.nodes: list[Node] = []
        self.hangs_on = _entries(program)
        self._old = program.nodes
        self._constant = constant
        self._copies: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}

    def copy(self, index: int, around: Entries) -> int:
        """The new node for an old one in a round of the loops around; the same for equal ones."""
        entries = {entry: at for entry, at in around.items() if entry in self.hangs_on[index]}
        known = (index, tuple(entries.items()))
        if known not in self._copies:
            self._copies[known] = self._copied(index, entries)
        return self._copies[known]

    def _copied(self, index: int, around: Entries) -> int:
        node = self._old[index]
        match node:
            case EntryNode():
                return around[index]
            case LoopNode():
                return self._loop(node, around)
            case SourceNode():
                return self._add(node)
            case ConcatNode(inputs=inputs):
                ends = tuple(self.copy(one, around) for one in inputs)
                return self._add(replace(node, inputs=ends, rounds=self._rounds(around)))
            case StageNode(args=args):
                read = {name: self._argument(arg, around) for name, arg in args.items()}
                node = replace(node, args=read, rounds=self._rounds(around))
            case _ if around:
                node = replace(node, rounds=self._rounds(around))
        return self._add(replace(node, input=self.copy(node.input, around)))

    def _argument(self, arg: T, around: Entries) -> T | Input:
        return Input(self.copy(arg.node, around)) if isinstance(arg, Input) else arg

    def _rounds(self, around: Entries) -> tuple[int, ...]:
        """The rounds that a node is in: those of the innermost loop around."""
        if not around:
            return ()
        innermost = self.nodes[list(around.values())[-1]]
        assert isinstance(innermost, RoundNode)
        return innermost.rounds

    def _loop(self, loop: LoopNode, around: Entries) -> int:
        rounds, times = self._rounds(around), self._times(loop)
        end = self.copy(loop.input, around)
        for number in range(times):
            begin = RoundNode(
                loop.flow, end, loop.until, loop.keep, loop.row, loop.place, (*rounds, number)
            )
            inside = {**around, loop.entry: self._add(begin)}
            for index in self._body(loop):
                self.copy(index, inside)
            end = self.copy(loop.exit, inside)
        return self._add(LeaveNode(loop.flow, end, times, loop.row, loop.place, rounds))

    def _times(self, loop: LoopNode) -> int:
        try:
            times = self._constant(loop.times)
        except NoValue as reason:
            raise UsageError(f"{loop.place}: `times:` has no value: {reason}") from None
        if not 0 <= times <= MOST:
            raise UsageError(
                f"{loop.place}: a loop has 0 to {MOST} rounds, not {times}",
                hint="give `times:` the most rounds that a row may need",
            )
        return int(times)

    def _body(self, loop: LoopNode) -> Iterator[int]:
        """The nodes that each round has of its own, in the order of the program."""
        return (n for n in range(loop.exit) if loop.entry in self.hangs_on[n])

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def _entries(program: Graph) -> list[tuple[int, ...]]:
    """For each node the entries of the loops that it is in, in no other than their own order."""
    found: list[tuple[int, ...]] = []
    for index, node in enumerate(program.nodes):
        inside = {entry for before in inputs_of(node) for entry in found[before]}
        if isinstance(node, EntryNode):
            inside = {index}
        elif isinstance(node, LoopNode):
            inside.discard(node.entry)
        found.append(tuple(sorted(inside)))
    return found
