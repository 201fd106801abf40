"""Flows: heads, stages and what row each leaves behind; every flow is worked out once.

Nodes are collected in topological order: a flow's inputs are worked out before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dpipe.lang import graph, syntax
from dpipe.lang.answers import Answers
from dpipe.lang.calls import bind
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env, Facts, Typed, narrowed
from dpipe.lang.expressions import Expressions
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.prompts import Prompts
from dpipe.lang.readers import Readers
from dpipe.lang.signatures import Param
from dpipe.lang.source import Span
from dpipe.lang.stages import ANSWERERS, STAGES, Stage
from dpipe.lang.types import (
    OPEN_ROW,
    UNKNOWN,
    Field,
    Record,
    Secret,
    Type,
    Union,
    fits,
    optional,
    required,
    show_short,
    widen,
)

NOWHERE = -1


class Rows(Struct, frozen=True):
    """A flow that is worked out: its last node and its row. ``node`` is -1 after a mistake."""

    node: int
    row: Record


class RowAt(Struct, frozen=True):
    """The row after a stage, for ``check --types``, hover and golden tests."""

    span: Span
    flow: str
    stage: str
    row: Record


LOST = Rows(NOWHERE, OPEN_ROW)


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
        self.nodes: list[graph.Node] = []
        self.rows: list[RowAt] = []
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
        found = self.stream(item.value, decl.file, item.name.text)
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

    # -- heads -----------------------------------------------------------------------------------

    def stream(self, node: syntax.FlowExpr, file: str, flow: str) -> Rows:
        """The rows of ``head | stage | …``."""
        rows = self.head(node.head, file, flow)
        for stage in node.stages:
            rows = self.stage(stage, rows, file, flow)
        return rows

    def head(self, node: syntax.Expr, file: str, flow: str) -> Rows:
        match node:
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
                return self._concat(node, file, flow)
            case syntax.Call(callee=callee):
                self._head_call(callee, file)
                return LOST
            case syntax.BadExpr():
                return LOST
            case _:
                self.bag.add("E0208", node.span, "a flow begins with a source or another flow")
                return LOST
        return LOST if decl is None else self._read(decl, node)

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
        self.names.unknown(
            "E0207", written, f"no flow function `{name}`", ["concat"], "there is `concat(a, b)`"
        )

    def _concat(self, node: syntax.Call, file: str, flow: str) -> Rows:
        inputs: list[Rows] = []
        for arg in node.args:
            if arg.label is not None:
                self.bag.add("E0506", arg.label.span, "`concat` takes flows without labels")
            inputs.append(self.head(arg.value, file, flow))
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

    def stage(self, node: syntax.Stage, rows: Rows, file: str, flow: str) -> Rows:
        call = node.call
        if isinstance(call, syntax.BadExpr):
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        callee = call.callee if isinstance(call, syntax.Call) else call
        spec = STAGES.get(callee.text) if isinstance(callee, syntax.NameRef) else None
        if spec is None:
            self._no_stage(callee, file)
            if isinstance(call, syntax.Call):
                self._look_into(call, rows, file)
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        if not isinstance(call, syntax.Call):
            help = f"write `| {spec.name}(…)`"
            self.bag.add("E0502", callee.span, f"`{spec.name}` needs its arguments", help=help)
            return Rows(NOWHERE, Record(rows.row.fields, open=True))
        bound = BoundStage(self, spec, call, rows.row, file)
        row = bound.resulting_row()
        self.rows.append(RowAt(call.span, flow, spec.name, row))
        if rows.node == NOWHERE:
            return Rows(NOWHERE, row)
        place = self.place(callee.span)
        stage = graph.StageNode(flow, spec.name, rows.node, bound.args, row, place)
        return Rows(self.add(stage), row)

    def _look_into(self, call: syntax.Call, rows: Rows, file: str) -> None:
        """Names inside a stage that is not known still count as used."""
        env = Env(file, row=Record(rows.row.fields, open=True))
        for arg in call.args:
            if isinstance(arg.value, syntax.NameRef):
                self.names.local(file, arg.value.text)
            elif not isinstance(arg.value, syntax.Lambda | syntax.Call):
                self.expressions.of(arg.value, env)

    def _no_stage(self, callee: syntax.Expr, file: str) -> None:
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
        else:
            foreign = {"filter": "where", "map": "set", "select": "keep", "rename": "set"}
            near: str | None = foreign.get(name)
            written = syntax.Name(text=name, span=callee.span)
            candidates = [near] if near else [*STAGES]
            help = f"rows are chosen with `{near}`" if near == "where" else None
            help = help or (f"write `{near}`" if near else "`dpipe docs` lists the stages")
            self.names.unknown("E0513", written, f"no stage `{name}`", candidates, help)


class BoundStage:
    """A stage with its arguments; the ``StageCall`` that its row rule sees."""

    def __init__(
        self, flows: Flows, spec: Stage, call: syntax.Call, row: Record, file: str
    ) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.bag = flows.bag
        self.spec = spec
        self.call = call
        self.file = file
        self.args: dict[str, graph.Arg] = {}
        self.row = row
        self._types: dict[str, Type] = {}
        self._texts: dict[str, str] = {}
        self._labelled: dict[str, list[tuple[str, Type]]] = {}
        self._shown: Facts = {}  # what `where` shows to the stages after it
        free = [param for param in spec.params if _free(param)]
        self.bound = bind(flows.bag, call, f"`{spec.name}`", spec.params, free=bool(free))
        self._inside = self._when()
        for param in spec.params:
            self._take(param)

    def resulting_row(self) -> Record:
        row = self.spec.rule(self)
        return narrowed(row, self._shown)

    # -- what the row rule asks ------------------------------------------------------------------

    def has(self, name: str) -> bool:
        return name in self.bound.known

    def type_of(self, name: str) -> Type:
        return self._types.get(name, UNKNOWN)

    def text(self, name: str) -> str | None:
        return self._texts.get(name)

    def labelled(self, name: str) -> list[tuple[str, Type]]:
        return self._labelled.get(name, [])

    def error(self, code: str, name: str, message: str, help: str | None = None) -> None:
        arg = self.bound.known.get(name)
        span = self.call.callee.span if arg is None else arg.value.span
        self.bag.add(code, span, message, help=help)

    # -- arguments -------------------------------------------------------------------------------

    def _when(self) -> Facts:
        """What the condition of ``when:`` shows to the other arguments."""
        arg = self.bound.known.get("when")
        if arg is None:
            return {}
        return self.expressions.test(arg.value, self._env(), "`when:`")[1]

    def _env(self) -> Env:
        return Env(self.file, row=self.row)

    def _take(self, param: Param) -> None:
        if _free(param):
            self._take_rest(param)
            return
        arg = self.bound.known.get(param.name)
        if arg is None:
            if param.required:
                self._missing(param)
            return
        env = self._env()
        if param.name != "when":
            env = env.knowing(self._inside)
        match param.kind:
            case "expr":
                self._expression(param, arg, env)
            case "const":
                self.args[param.name] = self._constant(param, arg).expr
            case "choice":
                self._choice(param, arg)
            case "field":
                self._field(param, arg)
            case "new":
                self._new(param, arg)
            case "prompt":
                asked, result = self.flows.prompts.asked(arg.value, env)
                self._types["prompt"] = result
                if asked is not None:
                    self.args[param.name] = asked
            case "answerer":
                given = self.flows.answers.answerer(arg.value, env, self.type_of("prompt"))
                self._types[param.name] = given.type
                if given.answerer is not None:
                    self.args[param.name] = given.answerer
            case "method":
                self._method(param, arg)

    def _expect(self, param: Param, arg: syntax.Arg, env: Env) -> Typed:
        what = f"`{self.spec.name}`" if arg.label is None else f"`{arg.label.text}:`"
        return self.expressions.expect(arg.value, env, param.type, what)

    def _constant(self, param: Param, arg: syntax.Arg) -> Typed:
        what = f"`{self.spec.name}`" if arg.label is None else f"`{arg.label.text}:`"
        return self.expressions.constant(arg.value, self.file, param.type, what)

    def _expression(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        if self.spec.name == "where":
            found, self._shown = self.expressions.test(arg.value, env, "`where`")
        else:
            found = self._expect(param, arg, env)
        self.args[param.name] = found.expr
        self._types[param.name] = found.type

    def _missing(self, param: Param) -> None:
        name = self.spec.name
        if param.kind == "new":
            self.bag.add(
                "E0408",
                self.call.callee.span,
                f"say which field `{name}` writes: `as: .x`",
            )
            return
        doc = f": {param.doc}" if param.doc else ""
        label = f"`{param.name}`" if param.positional else f"`{param.name}:`"
        self.bag.add("E0507", self.call.callee.span, f"`{name}` needs {label}{doc}")

    def _choice(self, param: Param, arg: syntax.Arg) -> None:
        shown = [f'"{choice}"' for choice in param.choices]
        value = arg.value
        word = value.constant if isinstance(value, syntax.StringExpr) else None
        if word is not None and word in param.choices:
            self._texts[param.name] = word
            self.args[param.name] = graph.Const(word)
        elif not isinstance(value, syntax.BadExpr):
            written = f'"{word}"' if word is not None else ""
            message = f"`{param.name}:` is {' or '.join(shown)}"
            misspelt(self.bag, "E0517", value.span, written, message, shown)

    def _bare(self, param: Param, arg: syntax.Arg) -> str | None:
        value = arg.value
        if isinstance(value, syntax.FieldRef):
            return value.text
        if isinstance(value, syntax.BadExpr):
            return None
        help = None
        if isinstance(value, syntax.NameRef):
            help = f"write `.{value.text}`"
        elif isinstance(value, syntax.StringExpr) and value.constant:
            help = f"write `.{value.constant}`"
        what = f"`{param.name}:`" if arg.label is not None else f"`{self.spec.name}`"
        self.bag.add("E0508", value.span, f"{what} needs a field, as `.x`", help=help)
        return None

    def _field(self, param: Param, arg: syntax.Arg) -> None:
        name = self._bare(param, arg)
        if name is None:
            return
        found = self.row.get(name)
        if found is None and not self.row.open:
            self.expressions.unknown_field(arg.value.span, name, self.row)
        self._texts[param.name] = name
        self._types[param.name] = UNKNOWN if found is None else found
        self.args[param.name] = graph.Const(name)

    def _new(self, param: Param, arg: syntax.Arg) -> None:
        name = self._bare(param, arg)
        if name is not None:
            self._texts[param.name] = name
            self.args[param.name] = graph.Const(name)

    def _method(self, param: Param, arg: syntax.Arg) -> None:
        value = arg.value
        callee = value.callee if isinstance(value, syntax.Call) else value
        names = [method.name for method in param.methods]
        name = callee.text if isinstance(callee, syntax.NameRef) else None
        method = next((method for method in param.methods if method.name == name), None)
        if method is None or not isinstance(value, syntax.Call):
            if not isinstance(value, syntax.BadExpr):
                shown = ", ".join(f"`{known}(…)`" for known in names)
                message = f"`{param.name}:` is one of {shown}"
                span = callee.span
                misspelt(self.bag, "E0517", span, name or "", message, names)
            return
        bound = bind(self.bag, value, f"`{method.name}`", method.params)
        args: dict[str, graph.Arg] = {}
        for option in method.params:
            given = bound.known.get(option.name)
            if given is None and option.required:
                message = f"`{method.name}` needs {option.doc or option.name}"
                self.bag.add("E0507", value.args_span, message)
            elif given is not None and option.kind == "embedder":
                embedder = self.flows.answers.embedder(given.value, Env(self.file))
                if embedder is not None:
                    args[option.name] = embedder
            elif given is not None:
                what = f"`{option.name}:`"
                found = self.expressions.constant(given.value, self.file, option.type, what)
                args[option.name] = found.expr
        self.args[param.name] = graph.Method(method.name, args)

    # -- arguments with any label ----------------------------------------------------------------

    def _take_rest(self, param: Param) -> None:
        constant = param.kind == "constants"
        env = Env(self.file) if constant else self._env()
        entries: dict[str, tuple[graph.Expr, Type]] = {}
        for arg in self.bound.rest:
            label = arg.label.text if arg.label is not None else self._unlabelled(param, arg)
            if label is None:
                continue
            if label in entries:
                span = arg.label.span if arg.label is not None else arg.span
                self.bag.add("E0506", span, f"`{label}` is given twice")
                continue
            if param.kind == "names" and arg.label is not None:
                help = f"write `drop(.{label})`"
                self.bag.add("E0508", arg.label.span, "only fields stand here", help=help)
                continue
            found = self._entry(param, arg, env)
            entries[label] = (found.expr, found.type)
        if not self.bound.rest:
            self.bag.add("E0507", self.call.args_span, f"`{self.spec.name}` needs {param.doc}")
        self.args[param.name] = graph.Fields(tuple((k, v[0]) for k, v in entries.items()))
        self._labelled[param.name] = [(name, type) for name, (_, type) in entries.items()]
        if constant:
            self._sum_to_one(entries)

    def _entry(self, param: Param, arg: syntax.Arg, env: Env) -> Typed:
        if param.kind == "constants":
            return self._constant(param, arg)
        found = self.expressions.of(arg.value, env)
        if arg.label is not None:
            found = Typed(found.expr, self.storable(found), found.span)
        return found

    def storable(self, found: Typed) -> Type:
        """A row holds everything but secrets."""
        if isinstance(found.type, Secret):
            self.bag.add("E0607", found.span, "a secret cannot be put into a row")
            return UNKNOWN
        return found.type

    def _unlabelled(self, param: Param, arg: syntax.Arg) -> str | None:
        """The label of a bare field, where one may stand."""
        value = arg.value
        bare = param.kind == "names" or self.spec.name == "keep"
        if isinstance(value, syntax.FieldRef) and bare:
            return value.text
        if isinstance(value, syntax.BadExpr):
            return None
        if param.kind == "names" or (bare and isinstance(value, syntax.NameRef)):
            self._bare(param, arg)
        else:
            help = f"write `{self.spec.name}(name: …)`"
            message = f"`{self.spec.name}` needs a label here"
            self.bag.add("E0506", value.span, message, help=help)
        return None

    def _sum_to_one(self, entries: dict[str, tuple[graph.Expr, Type]]) -> None:
        values = [expr.value for expr, _ in entries.values() if isinstance(expr, graph.Const)]
        if not values or len(values) != len(entries):
            return
        total = sum(value for value in values if isinstance(value, int | float))
        if abs(total - 1) > 1e-9:
            span = self.bound.rest[0].span.to(self.bound.rest[-1].span)
            message = f"the shares of a split sum to 1, these to {total:.12g}"
            self.bag.add("E0509", span, message)


def _free(param: Param) -> bool:
    return param.kind in ("fields", "labels", "names", "constants")


def _apart(one: Type, two: Type) -> bool:
    """Whether two types have no type in common but their union."""
    return isinstance(required(widen(one, two)), Union)
