"""What lints look at: a program without errors, its graph, and where its nodes stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from dpipe.lang import graph, syntax
from dpipe.lang.check import Checked
from dpipe.lang.diagnostics import Bag
from dpipe.lang.lints.demand import Demand
from dpipe.lang.lints.origins import Origins
from dpipe.lang.modules import STD, Program
from dpipe.lang.names import Decl
from dpipe.lang.source import Span
from dpipe.lang.types import Record


class Subject:
    def __init__(self, program: Program, checked: Checked, bag: Bag) -> None:
        self.program = program
        self.checked = checked
        self.bag = bag
        self.graph = checked.graph
        self.nodes = checked.graph.nodes

    # -- declarations ----------------------------------------------------------------------------

    def declared(self, kind: type[syntax.Node]) -> Iterator[Decl]:
        """The declarations of a kind in the user's files."""
        for file, names in self.checked.names.declared.items():
            if not file.startswith(STD):
                yield from (decl for decl in names.values() if isinstance(decl.item, kind))

    def item_at(self, place: graph.Place) -> syntax.Item | None:
        """The declaration whose name, or else whose start, stands at a place."""
        return self._items.get((place.file, self._offset(place)))

    @cached_property
    def _items(self) -> dict[tuple[str, int], syntax.Item]:
        found: dict[tuple[str, int], syntax.Item] = {}
        for file, module in self.program.modules.items():
            for item in module.items:
                name = getattr(item, "name", None)
                found[file, item.span.start] = item
                if name is not None:
                    found[file, name.span.start] = item
        return found

    # -- nodes -----------------------------------------------------------------------------------

    def stages(self, *names: str) -> Iterator[tuple[int, graph.StageNode]]:
        """The stages of these names that stand in the user's files, with their nodes."""
        for at, node in enumerate(self.nodes):
            if isinstance(node, graph.StageNode) and node.stage in names and self.own(node):
                yield at, node

    def own(self, node: graph.Node) -> bool:
        """Whether a node stands in a file of the user's."""
        return not node.place.file.startswith(STD)

    def span(self, at: int) -> Span:
        """The name of a node's stage, source or sink."""
        call = self.checked.calls.get(at)
        if call is not None:
            return call.callee.span
        node = self.nodes[at]
        start = self._offset(node.place)
        name = getattr(node, "name", "x")
        return Span(node.place.file, start, start + len(name))

    def arg(self, at: int, label: str) -> syntax.Expr | None:
        """An argument of a stage by its label."""
        call = self.checked.calls.get(at)
        return None if call is None else arg_of(call, label)

    def label(self, at: int, label: str) -> Span:
        """Where an argument of a stage begins; the name of the stage if it has no such one."""
        call = self.checked.calls[at]
        labels = [arg.label.span for arg in call.args if arg.label and arg.label.text == label]
        return labels[0] if labels else call.callee.span

    def text(self, span: Span) -> str:
        return self.program.sources[span.file].text[span.start : span.end]

    def _offset(self, place: graph.Place) -> int:
        source = self.program.sources[place.file]
        return source.line_starts[place.line - 1] + place.column - 1

    # -- the graph -------------------------------------------------------------------------------

    @cached_property
    def demand(self) -> Demand:
        return Demand(self)

    @cached_property
    def origins(self) -> Origins:
        return Origins(self)

    def row_before(self, node: graph.StageNode) -> Record:
        before = self.nodes[node.input]
        assert not isinstance(before, graph.SinkNode)
        return before.row

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """The nodes that read each node."""
        found: dict[int, list[int]] = {}
        for at, node in enumerate(self.nodes):
            for before in graph.inputs_of(node):
                found.setdefault(before, []).append(at)
        return found

    @cached_property
    def loop_of(self) -> dict[int, graph.LoopNode]:
        """The loop of each entry."""
        return {n.entry: n for n in self.nodes if isinstance(n, graph.LoopNode)}

    def streams(self, at: int) -> tuple[int, ...]:
        """The nodes whose rows a node's rows were before; those of a loop, from its entry."""
        node = self.nodes[at]
        match node:
            case graph.EntryNode():
                return (self.loop_of[at].input,) if at in self.loop_of else ()
            case graph.StageNode():
                return (node.input,)
            case _:
                return graph.inputs_of(node)

    def above(self, at: int, stop: Callable[[graph.Node], bool] = lambda _: False) -> list[int]:
        """The nodes that rows came through before a node, the nearest first.

        Where ``stop`` holds, what lies behind is not looked at, nor the node itself.
        """
        found: dict[int, None] = {}
        waiting = [*self.streams(at)]
        while waiting:
            before = waiting.pop(0)
            if before not in found and not stop(self.nodes[before]):
                found[before] = None
                waiting += self.streams(before)
        return list(found)

    def constant(self, expr: graph.Expr | None) -> object:
        """What a constant comes to by default; None where only a run knows."""
        match expr:
            case graph.Const(value):
                return value
            case graph.Unary("-", graph.Const(int() | float() as value)):
                return -value
            case graph.Param(name):
                params = {param.name: param.default for param in self.graph.params}
                return self.constant(params.get(name))
            case _:
                return None


def arg_of(call: syntax.Call, label: str) -> syntax.Expr | None:
    """An argument of a call by its label."""
    for arg in call.args:
        if arg.label is not None and arg.label.text == label:
            return arg.value
    return None
