"""A whole program: every declaration worked out, whether it is used or not."""

from __future__ import annotations

from msgspec import Struct

from dpipe.lang import graph, syntax
from dpipe.lang.answers import Answers
from dpipe.lang.completions import raw_prompts
from dpipe.lang.diagnostics import Bag
from dpipe.lang.draws import numbered
from dpipe.lang.emptiness import dead_sinks
from dpipe.lang.expressions import Expressions
from dpipe.lang.externs import Externs
from dpipe.lang.flows import Flows
from dpipe.lang.modules import Program
from dpipe.lang.names import Decl, Names
from dpipe.lang.prompts import Prompts
from dpipe.lang.readers import Readers
from dpipe.lang.rows import RowAt
from dpipe.lang.sinks import Sinks
from dpipe.lang.source import Span
from dpipe.lang.testing import Tests
from dpipe.lang.typing import Types


class Checked(Struct):
    """What the checker found: tests, the graph, the row after each stage, which names are used.

    ``calls`` has the call behind the node of each stage and loop.
    """

    tests: tuple[graph.TestDef, ...]
    graph: graph.Graph
    rows: tuple[RowAt, ...]
    names: Names
    types: Types
    calls: dict[int, syntax.Call]


class Checker:
    def __init__(self, program: Program, bag: Bag) -> None:
        self.program = program
        self.bag = bag
        self.names = Names(program, bag)
        self.types = Types(self.names)
        self.expressions = Expressions(self.names, self.types)
        self.answers = Answers(self.expressions, self.place)
        self.prompts = Prompts(self.expressions, self.place)
        readers = Readers(self.expressions, self.place)
        self.flows = Flows(self.expressions, self.answers, self.prompts, readers)
        self.sinks = Sinks(self.flows, self.place)
        self.externs = Externs(program, self.types, bag)
        self.tests = Tests(self.flows)
        self.params: list[graph.ParamDef] = []

    def place(self, span: Span) -> graph.Place:
        line, column = self.program.sources[span.file].position(span.start)
        return graph.Place(span.file, line, column)

    def run(self) -> Checked:
        sinks = [
            decl
            for decl in self._declarations(self.program.root)
            if isinstance(decl.item, syntax.SinkItem)
        ]
        for decl in sinks:
            self.sinks.declared(decl)
        dead_sinks(self.flows, sinks)
        needed = len(self.flows.nodes)
        for file in self.program.modules:
            for decl in self._declarations(file):
                self._declare(decl)
        raw_prompts(self.flows)
        nodes = numbered(self.flows.nodes, needed)
        tests = self._tests(nodes)
        rows = tuple(sorted(self.flows.rows, key=lambda row: row.span))
        program = self._graph(nodes[:needed])
        return Checked(tests, program, rows, self.names, self.types, self.flows.calls)

    def _tests(self, nodes: tuple[graph.Node, ...]) -> tuple[graph.TestDef, ...]:
        root = self.program.root
        items = self.program.modules[root].items
        tests = [item for item in items if isinstance(item, syntax.TestItem)]
        return tuple(self.tests.declare(root, item, nodes) for item in tests)

    def _declarations(self, file: str) -> list[Decl]:
        return list(self.names.declared[file].values())

    def _declare(self, decl: Decl) -> None:
        """Work out a declaration for its own sake; most are known by now."""
        match decl.item:
            case syntax.ParamItem() as item:
                self._param(decl, item)
            case syntax.TypeItem():
                self.types.declared(decl)
            case syntax.ModelItem():
                self.answers.declare(decl)
            case syntax.PromptItem():
                self.prompts.declare(decl)
            case syntax.DefItem():
                self.expressions.calls.signature(decl)
            case syntax.SourceItem() | syntax.FlowItem():
                self.flows.declared(decl)
            case syntax.PipeItem():
                self.flows.pipes.declare(decl)
            case syntax.ExternItem() as item:
                self.externs.declare(decl, item)

    def _param(self, decl: Decl, item: syntax.ParamItem) -> None:
        type = self.expressions.param(decl).type
        if decl.file == self.program.root:
            default = self.expressions.defaults.get(item.name.text)
            place = self.place(item.name.span)
            self.params.append(graph.ParamDef(item.name.text, type, default, item.help, place))

    def _graph(self, nodes: tuple[graph.Node, ...]) -> graph.Graph:
        """The program that runs: of the nodes those that its sinks need."""
        sinks = tuple(at for at, node in enumerate(nodes) if isinstance(node, graph.SinkNode))
        return graph.Graph(
            self.program.root,
            tuple(self.params),
            self.answers.models,
            self.prompts.prompts,
            self.expressions.defs,
            nodes,
            sinks,
        )


def check_program(program: Program, bag: Bag) -> Checked:
    """Check a program; everything that is wrong goes to the bag."""
    return Checker(program, bag).run()
