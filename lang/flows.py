"""Flows: heads, stages and what row each leaves behind; every flow is worked out once.

Nodes are collected in topological order: a flow's inputs are worked out before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.answers import Answers
from dpipe.lang.bound import BoundStage
from dpipe.lang.diagnostics import Edit, Fix, Label
from dpipe.lang.env import Env
from dpipe.lang.expressions import Expressions
from dpipe.lang.foreign import ForeignPipes
from dpipe.lang.loops import Loops
from dpipe.lang.names import Decl
from dpipe.lang.pipes import Pipes
from dpipe.lang.prompts import Prompts
from dpipe.lang.readers import Readers
from dpipe.lang.rows import LOST, NOWHERE, RowAt, Rows
from dpipe.lang.source import Span
from dpipe.lang.stages import ANSWERERS, LOOP, STAGES
from dpipe.lang.types import (
    OPEN_ROW,
    UNKNOWN,
    Field,
    Record,
    Type,
    Union,
    fits,
    optional,
    required,
    show_short,
    widen,
)
from dpipe.lang.unmatched import left_joined, tell_together


class Flows:
    def __init__(
        self, expressions: Expressions, answers: Answers, prompts: Prompts, readers: Readers
    ) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.bag = expressions.bag
        self.answers = answers
        self.prompts = prompts
        self.readers = readers
        self.place = answers.place
        self.pipes = Pipes(self)
        self.loops = Loops(self)
        self.foreign = ForeignPipes(self)
        self.nodes: list[graph.Node] = []
        self.rows: list[RowAt] = []
        self.calls: dict[int, syntax.Call] = {}  # the call behind each stage's and loop's node
        self._known: dict[tuple[str, str], Rows] = {}
        self._open: list[Decl] = []

    def add(self, node: graph.Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    # -- declarations ----------------------------------------------------------------------------

    def declared(self, decl: Decl) -> Rows:
        """The rows of a source or flow."""
        if decl.key in self._known:
            return self._known[decl.key]
        if decl in self._open:
            self._cycle(decl)
            return LOST
        self._open.append(decl)
        if isinstance(decl.item, syntax.SourceItem):
            found = self._source(decl, decl.item)
        elif isinstance(decl.item, syntax.FlowItem):
            found = self._flow(decl, decl.item)
        else:
            found = LOST
        self._open.pop()
        self._known[decl.key] = found
        return found

    def _cycle(self, decl: Decl) -> None:
        names = [other.name.text for other in self._open[self._open.index(decl) :]]
        trail = " -> ".join([*names, names[0]])
        self.bag.add("E0209", decl.name.span, f"`{names[0]}` depends on itself: {trail}")

    def _source(self, decl: Decl, item: syntax.SourceItem) -> Rows:
        node = self.readers.source(decl, item)
        if node is None:
            row = OPEN_ROW
            if item.row is not None:
                row = self.expressions.types.row(decl.file, item.row)
            return Rows(NOWHERE, row)
        self.rows.append(RowAt(item.value.span, item.name.text, "source", node.row))
        return Rows(self.add(node), node.row)

    def _flow(self, decl: Decl, item: syntax.FlowItem) -> Rows:
        found = self.stream(item.value, Env(decl.file), item.name.text)
        if item.row is None:
            return found
        wanted = self.expressions.types.row(decl.file, item.row)
        if not fits(found.row, wanted):
            self._not_declared(item, found.row, wanted)
        if found.node == NOWHERE:
            return Rows(NOWHERE, found.row)
        check = graph.CheckNode(item.name.text, found.node, wanted, self.place(item.row.span))
        return Rows(self.add(check), found.row)

    def _not_declared(self, item: syntax.FlowItem, row: Record, wanted: Record) -> None:
        for field in wanted.fields:
            found = row.get(field.name)
            if found is None:
                shown = f"it has no field `{field.name}`"
            elif not fits(found, field.type):
                shown = f"`.{field.name}` is {show_short(found)}, declared {show_short(field.type)}"
            else:
                continue
            message = f"the rows of `{item.name.text}` are not as declared: {shown}"
            assert item.row is not None
            self.bag.add("E0304", item.row.span, message)
            return

    def _local(self, name: syntax.Name, env: Env) -> Rows:
        """A flow of the pipe around: its parameter, or one that its body declares."""
        frame = env.frame
        assert frame is not None
        if name.text in frame.pending:
            item = frame.pending.pop(name.text)
            frame.flows[name.text] = LOST  # while it is worked out it does not read itself
            frame.flows[name.text] = self.stream(item.value, env, f"{frame.pipe}.{name.text}")
        found = frame.flows.get(name.text)
        if isinstance(found, Rows):
            return found
        kind = frame.kind(name.text)
        self.bag.add("E0208", name.span, f"`{name.text}` is a {kind}, not a flow")
        return LOST

    # -- heads -----------------------------------------------------------------------------------

    def stream(self, node: syntax.FlowExpr, env: Env, flow: str) -> Rows:
        """The rows of ``head | stage | …``."""
        rows = self.head(node.head, env, flow)
        for stage in node.stages:
            first = stage is node.stages[0]
            rows = self.stage(stage, rows, env, flow, node.head if first else None)
        return rows

    def head(self, node: syntax.Expr, env: Env, flow: str) -> Rows:
        file = env.file
        match node:
            case syntax.NameRef(text=text) if env.frame and env.frame.kind(text) is not None:
                return self._local(syntax.Name(text=text, span=node.span), env)
            case syntax.NameRef(text=text):
                decl = self.names.local(file, text)
                if decl is None:
                    self._unknown_head(syntax.Name(text=text, span=node.span), file)
                    return LOST
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                decl = self.names.member(file, syntax.Name(text=text, span=of.span), name)
            case syntax.Call(callee=syntax.NameRef(text="concat")):
                return self._concat(node, env, flow)
            case syntax.Call(callee=callee):
                self._head_call(callee, file)
                return LOST
            case syntax.BadExpr():
                return LOST
            case _:
                self._no_head(node)
                return LOST
        return LOST if decl is None else self._read(decl, node)

    def _no_head(self, node: syntax.Expr) -> None:
        help = None
        if isinstance(node, syntax.ListExpr):
            flows = ", ".join(self._text(item.span) for item in node.items)
            help = f"write `concat({flows})`, without brackets"
        self.bag.add("E0208", node.span, "a flow begins with a source or another flow", help=help)

    def _read(self, decl: Decl, node: syntax.Node) -> Rows:
        if isinstance(decl.item, syntax.BadItem):
            return LOST
        if isinstance(decl.item, syntax.SourceItem | syntax.FlowItem):
            return self.declared(decl)
        article = "an" if decl.kind[0] in "aeiou" else "a"
        self.bag.add(
            "E0208",
            node.span,
            f"`{decl.name.text}` is {article} {decl.kind}, not a flow",
            labels=[Label(decl.name.span, "declared here")],
            help=_in_a_flow(decl),
        )
        return LOST

    def _unknown_head(self, name: syntax.Name, file: str) -> None:
        known = self.names.of_kind(file, "source", "flow")
        if self.names.is_module(file, name.text):
            message = f"`{name.text}` is a module, not a flow"
            self.bag.add(
                "E0208", name.span, message, help=f"name one of its flows: `{name.text}.…`"
            )
            return
        self.names.unknown("E0201", name, f"no source or flow `{name.text}`", known)

    def _head_call(self, callee: syntax.Expr, file: str) -> None:
        if not isinstance(callee, syntax.NameRef):
            self.bag.add("E0207", callee.span, "a flow begins with a source or another flow")
            return
        name = callee.text
        if self.names.built_in(name, "source") is not None:
            self.bag.add(
                "E0504",
                callee.span,
                f"`{name}` reads files: it stands in a source",
                help=f"write `source docs = {name}(…)` and begin the flow with `docs`",
            )
            return
        decl = self.names.local(file, name)
        if decl is not None:
            self._read(decl, callee)
            return
        written = syntax.Name(text=name, span=callee.span)
        help = "write `concat(…)`" if name in TOGETHER else "there is `concat(a, b)`"
        self.names.unknown("E0207", written, f"no flow function `{name}`", ["concat"], help)

    def _concat(self, node: syntax.Call, env: Env, flow: str) -> Rows:
        inputs: list[Rows] = []
        for arg in node.args:
            if arg.label is not None:
                self.bag.add("E0506", arg.label.span, "`concat` takes flows without labels")
            inputs.append(self.head(arg.value, env, flow))
        if not inputs:
            self.bag.add("E0507", node.args_span, "`concat` needs flows: `concat(a, b)`")
            return LOST
        row = self._joined(node, inputs)
        if any(rows.node == NOWHERE for rows in inputs):
            return Rows(NOWHERE, row)
        place = self.place(node.span)
        merged = graph.ConcatNode(flow, tuple(rows.node for rows in inputs), row, place)
        self.rows.append(RowAt(node.span, flow, "concat", row))
        return Rows(self.add(merged), row)

    def _joined(self, node: syntax.Call, inputs: Sequence[Rows]) -> Record:
        """All fields of all inputs; one that an input lacks is optional."""
        order = dict.fromkeys(field.name for rows in inputs for field in rows.row.fields)
        fields: list[Field] = []
        for name in order:
            found = [rows.row.get(name) for rows in inputs]
            present = [type for type in found if type is not None]
            joined = self._common(node, name, inputs, present)
            missing = any(
                type is None and not rows.row.open for type, rows in zip(found, inputs, strict=True)
            )
            fields.append(Field(name, optional(joined) if missing else joined))
        return Record(tuple(fields), open=any(rows.row.open for rows in inputs))

    def _common(
        self, node: syntax.Call, name: str, inputs: Sequence[Rows], types: Sequence[Type]
    ) -> Type:
        joined = types[0]
        for other in types[1:]:
            if not fits(other, joined) and not fits(joined, other) and _apart(joined, other):
                args = [self._text(arg.value.span) for arg in node.args]
                owners = [
                    f"{show_short(type)} in `{arg}`"
                    for arg, rows in zip(args, inputs, strict=True)
                    if (type := rows.row.get(name)) is not None
                ]
                self.bag.add(
                    "E0315",
                    node.callee.span,
                    f"field `{name}` is {' and '.join(owners)}",
                    help="convert one of them before with `set`, or drop it",
                )
                return UNKNOWN
            joined = widen(joined, other)
        return joined

    def _text(self, span: Span) -> str:
        return self.names.program.sources[span.file].text[span.start : span.end]

    # -- stages ----------------------------------------------------------------------------------

    def stage(
        self,
        node: syntax.Stage,
        rows: Rows,
        env: Env,
        flow: str,
        head: syntax.Expr | None = None,
    ) -> Rows:
        """The rows behind a stage; ``head`` is all that stands before the first one."""
        call = node.call
        if isinstance(call, syntax.BadExpr):
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        callee = call.callee if isinstance(call, syntax.Call) else call
        spec = STAGES.get(callee.text) if isinstance(callee, syntax.NameRef) else None
        if isinstance(call, syntax.Call) and spec is LOOP:
            return self.loops.use(call, rows, env, flow)
        if spec is None:
            pipe = self.pipes.named(callee, env.file)
            if pipe is not None:
                return self.pipes.use(pipe, call, rows, env, flow)
            foreign = self.foreign.named(callee, env.file)
            if foreign is not None:
                return self.foreign.use(foreign, call, rows, env, flow)
            self._no_stage(callee, env.file, self._together(call, head))
            if isinstance(call, syntax.Call):
                self._look_into(call, rows, env)
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        if not isinstance(call, syntax.Call):
            help = f"write `| {spec.name}(…)`"
            self.bag.add("E0502", callee.span, f"`{spec.name}` needs its arguments", help=help)
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        told = len(self.bag)
        bound = BoundStage(self, spec, call, replace(env, row=rows.row, draws=True))
        row = bound.resulting_row()
        if len(self.bag) > told + 1:
            tell_together(self.bag, told, left_joined(self.nodes, rows.node), self._text)
        self.rows.append(RowAt(call.span, flow, spec.name, row))
        if rows.node == NOWHERE or bound.lost:
            return Rows(NOWHERE, row)
        place = self.place(callee.span)
        stage = graph.StageNode(flow, spec.name, rows.node, bound.args, row, place)
        self.calls[len(self.nodes)] = call
        return Rows(self.add(stage), row)

    def _look_into(self, call: syntax.Call, rows: Rows, env: Env) -> None:
        """Names inside a stage that is not known still count as used."""
        inside = replace(env, row=Record(rows.row.fields, open=True))
        for arg in call.args:
            self._look_at(arg.value, inside)

    def _look_at(self, node: syntax.Expr, env: Env) -> None:
        match node:
            case syntax.NameRef(text=text):
                self.names.local(env.file, text)
            case syntax.Attr(of=syntax.NameRef(text=text)) if self.names.is_module(env.file, text):
                self.names.module(env.file, text)
            case syntax.Call(callee=callee, args=args):
                self._look_at(callee, env)
                for arg in args:
                    self._look_at(arg.value, env)
            case syntax.ListExpr(items=items):
                for item in items:
                    self._look_at(item, env)
            case syntax.Lambda():
                pass
            case _:
                self.expressions.of(node, env)

    def _together(self, call: syntax.Expr, head: syntax.Expr | None) -> Fix | None:
        """`train | union(val)` as it is written here; no edit where more is before it."""
        match call:
            case syntax.Call(callee=syntax.NameRef(text=name), args=args) if name in TOGETHER:
                first = self._text(head.span) if head is not None else "some"
                flows = ", ".join([first, *(self._text(arg.value.span) for arg in args)])
                write = f"concat({flows})"
                edits = () if head is None else (Edit(head.span.to(call.span), write),)
                return Fix(f"write `{write}`", edits)
        return None

    def _no_stage(self, callee: syntax.Expr, file: str, together: Fix | None) -> None:
        if not isinstance(callee, syntax.NameRef):
            self.bag.add("E0513", callee.span, "this is no stage")
            return
        name = callee.text
        decl = self.names.local(file, name)
        if decl is not None and decl.kind == "prompt":
            self.bag.add(
                "E0512",
                callee.span,
                f"`{name}` is a prompt",
                help=f"write `ask({name}, using: …, as: .x)`",
            )
        elif decl is not None and isinstance(decl.item, syntax.BadItem):
            return
        elif self.names.built_in(name, "sink") is not None:
            self.bag.add(
                "E0516",
                callee.span,
                f"`{name}` writes files: it stands at a sink's end",
                help=f"write `sink out = … | {name}(…)`",
            )
        elif self.names.built_in(name, "source") is not None:
            message = f"`{name}` reads files: it stands in a source"
            self.bag.add("E0504", callee.span, message)
        elif decl is not None:
            self.bag.add("E0512", callee.span, f"`{name}` is a {decl.kind}, not a stage")
        elif name in ANSWERERS:
            help = f"write `ask(…, using: {name}([…]), as: .x)`"
            self.bag.add("E0512", callee.span, f"`{name}` says who answers an `ask`", help=help)
        elif together is not None:
            self._told_together(syntax.Name(text=name, span=callee.span), together)
        else:
            near = _FOREIGN.get(name)
            written = syntax.Name(text=name, span=callee.span)
            candidates = [near] if near else [*STAGES]
            way_out = f"write `{near}`" if near else f"the stages are {', '.join(STAGES)}"
            if name == "rename":
                way_out = "write `set(new: .old)` and `drop(.old)`"
            self.names.unknown("E0513", written, f"no stage `{name}`", candidates, way_out)

    def _told_together(self, name: syntax.Name, fix: Fix) -> None:
        if self.names.told(name):
            return
        help = fix.title if fix.edits else f"call what is before it `some`, and {fix.title}"
        message = f"`{name.text}` is no stage: flows are put together where one begins"
        self.bag.add("E0513", name.span, message, help=help, fixes=[fix] if fix.edits else [])


TOGETHER = ("add", "append", "chain", "concat", "concatenate", "extend", "merge", "union")
"""What other tools call `concat`."""

_FOREIGN = {
    "assign": "set",
    "distinct": "dedup",
    "explode": "unnest",
    "filter": "where",
    "flatten": "unnest",
    "generate": "ask",
    "group_by": "group",
    "groupby": "group",
    "head": "limit",
    "map": "set",
    "mutate": "set",
    "order_by": "sort",
    "prompt": "ask",
    "rename": "set",
    "take": "limit",
    "unique": "dedup",
}
"""What other tools call some of the stages."""


def _in_a_flow(decl: Decl) -> str:
    """What can be done in a flow with something that is none."""
    if decl.kind == "prompt":
        return f"begin with rows and ask it: `docs | ask({decl.name.text}, using: …, as: .x)`"
    if decl.kind == "pipe":
        return f"begin with rows and send them through it: `docs | {decl.name.text}(…)`"
    return "a flow begins with a source or another flow"


def _apart(one: Type, two: Type) -> bool:
    """Whether two types have no type in common but their union."""
    return isinstance(required(widen(one, two)), Union)
