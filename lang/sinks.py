"""Sinks: a flow that ends in a writer, and what the writer is given per row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.calls import bind, resolved_target
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env, Typed
from dpipe.lang.figures import figures_of
from dpipe.lang.flows import Flows
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.readers import constants, with_defaults
from dpipe.lang.rows import NOWHERE, Rows
from dpipe.lang.signatures import Param
from dpipe.lang.source import Span
from dpipe.lang.stages import STAGES
from dpipe.lang.types import (
    STR,
    Field,
    Flow,
    Json,
    Optional,
    Record,
    Type,
    fits,
    may_be_null,
    required,
    show_found,
    show_short,
)

FIGURES = "report"
"""The writer whose further labels are figures over all rows."""


class Writer(Struct, frozen=True):
    """A writer's signature: what it is given per row (None: the whole row) and its options."""

    name: str
    target: str
    fields: tuple[Field, ...] | None
    params: tuple[Param, ...]
    declared: tuple[syntax.ParamDecl, ...]
    file: str


class Sinks:
    def __init__(self, flows: Flows, place: Callable[[Span], graph.Place]) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.names = flows.names
        self.bag = flows.bag
        self.place = place
        self._paths: dict[str, syntax.Name] = {}

    def declared(self, decl: Decl) -> None:
        """Work out a sink; its node is added where nothing before it is wrong."""
        item = decl.item
        assert isinstance(item, syntax.SinkItem)
        flow = replace(item.value, stages=item.value.stages[:-1])
        rows = self.flows.stream(flow, Env(decl.file), item.name.text)
        if not item.value.stages:
            self.bag.add(
                "E0505",
                item.name.span,
                f"sink `{item.name.text}` has no writer",
                help='end it with a writer, as `| jsonl("out.jsonl")`',
            )
            return
        self._written(item, item.value.stages[-1], rows, decl.file)

    def _written(self, item: syntax.SinkItem, stage: syntax.Stage, rows: Rows, file: str) -> None:
        call = stage.call
        callee = call.callee if isinstance(call, syntax.Call) else call
        writer = self._writer(callee, file)
        if writer is None:
            return
        if not isinstance(call, syntax.Call):
            arguments = '"out.jsonl"' if any(p.name == "path" for p in writer.params) else ""
            help = f"write `{writer.name}({arguments})`"
            self.bag.add("E0507", callee.span, f"`{writer.name}` needs its arguments", help=help)
            return
        node = self._node(item, writer, call, rows, file)
        if rows.node != NOWHERE:
            self.flows.add(node)

    # -- writers ---------------------------------------------------------------------------------

    def _writer(self, callee: syntax.Expr, file: str) -> Writer | None:
        match callee:
            case syntax.NameRef(text=text):
                own = self.names.declared[file].get(text)
                if own is not None and own.kind == "sink" and _is_extern(own):
                    self.names.used.add(own.key)
                    return self._signature(own)
                decl = self.names.built_in(text, "sink")
                if decl is None:
                    self._unknown(syntax.Name(text=text, span=callee.span), file)
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                decl = self.names.member(file, syntax.Name(text=text, span=of.span), name)
                if decl is not None and not (_is_extern(decl) and decl.kind == "sink"):
                    message = f"`{name.text}` is a {decl.kind}, not a writer"
                    self.bag.add("E0505", name.span, message)
                    return None
            case syntax.BadExpr():
                return None
            case _:
                self.bag.add("E0505", callee.span, "a sink ends with a writer")
                return None
        return None if decl is None else self._signature(decl)

    def _unknown(self, name: syntax.Name, file: str) -> None:
        known = [*self.names.built_ins("sink"), *self.names.of_kind(file, "sink")]
        decl = self.names.local(file, name.text)
        if decl is not None and isinstance(decl.item, syntax.BadItem):
            return
        if name.text in STAGES:
            self.bag.add(
                "E0505",
                name.span,
                f"`{name.text}` is a stage; a sink ends with a writer",
                help='add `| jsonl("out.jsonl")`',
            )
            return
        writers = sorted(self.names.built_ins("sink"))
        help = f"the writers are {', '.join(f'`{writer}`' for writer in writers)}"
        self.names.unknown("E0505", name, f"no writer `{name.text}`", known, help)

    def _signature(self, decl: Decl) -> Writer:
        item = decl.item
        assert isinstance(item, syntax.ExternItem)
        fields: tuple[Field, ...] | None = None
        params: list[Param] = []
        for param in item.params:
            of = self.expressions.types.of(decl.file, param.type)
            if isinstance(of, Flow):
                row = of.row
                fields = row.fields if isinstance(row, Record) and row.fields else None
                continue
            optional = param.default is not None
            params.append(Param(param.name.text, "const", of, not optional, positional=True))
        options = tuple(p for p in item.params if p.name.text != "path")
        target = resolved_target(decl, item)
        return Writer(item.name.text, target, fields, tuple(params), options, decl.file)

    # -- one sink --------------------------------------------------------------------------------

    def _node(
        self, item: syntax.SinkItem, writer: Writer, call: syntax.Call, rows: Rows, file: str
    ) -> graph.SinkNode:
        what = f"`{writer.name}`"
        free = writer.fields is not None or writer.name == FIGURES
        bound = bind(self.bag, call, what, writer.params, free=free)
        env = Env(file, row=rows.row, draws=True)
        arg = bound.known.get("path")
        path, partition = self._path(item, arg, env) if arg is not None else (None, ())
        params = tuple(p for p in writer.params if p.name != "path" or arg is None)
        options = constants(self.expressions, bound, call, params, env, what)
        options = with_defaults(self.expressions, options, writer.declared, writer.file)
        metrics: tuple[tuple[str, graph.Computed], ...] = ()
        fields, row = None, rows.row
        if writer.name == FIGURES:
            metrics, _ = figures_of(self.expressions, bound.rest, env)
            if not bound.rest:
                help = "write `rows: count()`"
                self.bag.add("E0507", call.args_span, "`report` needs a figure", help=help)
        elif writer.fields is not None:
            fields, row = self._fields(writer, writer.fields, bound.rest, call, env)
        return graph.SinkNode(
            item.name.text,
            rows.node,
            writer.target,
            path,
            partition,
            fields,
            tuple(options.items()),
            metrics,
            row,
            self.place(item.name.span),
        )

    def _path(
        self, item: syntax.SinkItem, arg: syntax.Arg, env: Env
    ) -> tuple[graph.Expr, tuple[Field, ...]]:
        found = self.expressions.expect(arg.value, env, STR, "a path")
        if isinstance(found.expr, graph.Const) and isinstance(found.expr.value, str):
            self._once(item, found, found.expr.value)
            return found.expr, ()
        if not isinstance(found.expr, graph.Template):
            return found.expr, ()
        names: dict[str, Field] = {}
        for part in found.expr.parts:
            if isinstance(part, graph.Field):
                of = env.row.get(part.name) if env.row is not None else None
                names[part.name] = Field(part.name, of or STR)
            elif not isinstance(part, str) and not isinstance(part, graph.Param):
                message = "a path is made of texts, params and fields of the row"
                help = "compute it before with `set(part: …)` and write `{.part}`"
                self.bag.add("E0517", arg.value.span, message, help=help)
        return found.expr, tuple(names.values())

    def _once(self, item: syntax.SinkItem, found: Typed, path: str) -> None:
        first = self._paths.setdefault(path, item.name)
        if first is not item.name:
            self.bag.add(
                "E0510",
                found.span,
                f"two sinks write `{path}`",
                labels=[Label(first.span, "the other sink")],
            )

    def _fields(
        self,
        writer: Writer,
        fields: tuple[Field, ...],
        args: Sequence[syntax.Arg],
        call: syntax.Call,
        env: Env,
    ) -> tuple[tuple[tuple[str, graph.Expr], ...], Record]:
        """What the writer is given per row, and the type of that."""
        given: dict[str, Typed] = {}
        wanted = {field.name: field.type for field in fields}
        for arg in args:
            name = arg.label.text if arg.label is not None else None
            if name is None or name not in wanted:
                self._no_field(writer, arg, wanted)
                self.expressions.of(arg.value, env)
                continue
            if name in given:
                assert arg.label is not None
                self.bag.add("E0506", arg.label.span, f"`{name}:` is given twice")
                continue
            what = f"`{name}:`"
            given[name] = self.expressions.expect(arg.value, env, wanted[name], what)
        for field in fields:
            if field.name not in given and _needed(field.type):
                given[field.name] = self._from_row(writer, field, call, env)
        bound = [(field.name, given[field.name]) for field in fields if field.name in given]
        row = Record(tuple(Field(name, value.type) for name, value in bound))
        return tuple((name, value.expr) for name, value in bound), row

    def _no_field(self, writer: Writer, arg: syntax.Arg, wanted: dict[str, Type]) -> None:
        names = [*wanted, *(param.name for param in writer.params)]
        shown = ", ".join(f"`{name}:`" for name in names)
        if arg.label is None:
            message = f"`{writer.name}` needs a label here"
            self.bag.add("E0506", arg.span, message, help=f"it takes {shown}")
            return
        word = arg.label.text
        message = f"`{writer.name}` has no argument `{word}:`"
        misspelt(self.bag, "E0506", arg.label.span, word, message, names, f"it takes {shown}")

    def _from_row(self, writer: Writer, field: Field, call: syntax.Call, env: Env) -> Typed:
        row = env.row
        assert row is not None
        of = row.get(field.name)
        if of is None and not row.open:
            shown = f"`{field.name}: {show_short(field.type)}`"
            message = f"`{writer.name}` needs {shown}, which the row does not have"
            help = f"say what it is: `{field.name}: …`"
            self.bag.add("E0507", call.callee.span, message, help=help)
        elif of is not None and not fits(of, field.type):
            null = may_be_null(of) and fits(required(of), field.type)
            way_out = f"`{field.name}: .{field.name} ?? …`" if null else f"`{field.name}: …`"
            message = (
                f"`{writer.name}` needs `{field.name}: {show_short(field.type)}`, "
                f"found {show_found(of, field.type)}"
            )
            self.bag.add("E0303", call.callee.span, message, help=f"give it: {way_out}")
        return Typed(graph.Field(field.name), of or field.type, call.callee.span)


def _needed(of: Type) -> bool:
    return not isinstance(of, Optional | Json)


def _is_extern(decl: Decl) -> bool:
    return isinstance(decl.item, syntax.ExternItem)
