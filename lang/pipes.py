"""Pipes: reusable pieces of flow, worked out at their definition and again at each use.

At the definition the rows are of the declared type and models and prompts are open: mistakes
belong to the definition. At a use the real row and arguments stand in: what is wrong then, and
was not before, belongs to the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpipe.lang import graph, syntax
from dpipe.lang.calls import bind
from dpipe.lang.diagnostics import Diagnostic, Label
from dpipe.lang.env import Env, Frame, Typed, Written
from dpipe.lang.names import Decl
from dpipe.lang.rows import NOWHERE, RowAt, Rows
from dpipe.lang.signatures import Param
from dpipe.lang.types import (
    OPEN_ROW,
    Flow,
    Model,
    Prompt,
    Record,
    Type,
    fits,
    may_be_null,
    show_found,
    show_short,
)

if TYPE_CHECKING:
    from dpipe.lang.flows import Flows


class Pipes:
    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.names = flows.names
        self.bag = flows.bag
        self._sound: dict[tuple[str, str], bool] = {}
        self._open: list[tuple[str, str]] = []

    def named(self, callee: syntax.Expr, file: str) -> Decl | None:
        """The pipe that a stage names."""
        match callee:
            case syntax.NameRef(text=text):
                decl = self.names.declared[file].get(text)
                if decl is not None and isinstance(decl.item, syntax.PipeItem):
                    return self.names.local(file, text)
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                target = self.names.module(file, text)
                found = self.names.declared[target].get(name.text) if target else None
                if found is not None and isinstance(found.item, syntax.PipeItem):
                    return self.names.member(file, syntax.Name(text=text, span=of.span), name)
        return None

    # -- the definition --------------------------------------------------------------------------

    def declare(self, decl: Decl) -> bool:
        """Check a definition once; whether it is sound."""
        if decl.key in self._sound:
            return self._sound[decl.key]
        if decl.key in self._open:
            self._cycle(decl)
            return False
        item = self._item(decl)
        frame = Frame(item.name.text, {}, {f.name.text: f for f in item.flows}, {}, {}, {})
        for param in item.params:
            self._stand_in(decl, frame, param, self._type(decl, param))
        if not self._takes_rows(decl, item):
            self._sound[decl.key] = False
            return False
        with self.bag.capture() as found:
            self._body(decl, item, frame, item.name.text)
        self.bag.extend(found)
        self._sound[decl.key] = not found.has_errors
        return self._sound[decl.key]

    def _takes_rows(self, decl: Decl, item: syntax.PipeItem) -> bool:
        if item.params and isinstance(self._type(decl, item.params[0]), Flow):
            return True
        self.bag.add(
            "E0501",
            item.params[0].span if item.params else item.name.span,
            f"the first parameter of pipe `{item.name.text}` takes its rows",
            help="write `rows: flow[{ text: str }]`",
        )
        return False

    def _cycle(self, decl: Decl) -> None:
        names = [name for _, name in self._open[self._open.index(decl.key) :]]
        trail = " -> ".join([*names, names[0]])
        self.bag.add("E0209", decl.name.span, f"pipe `{names[0]}` uses itself: {trail}")

    def _item(self, decl: Decl) -> syntax.PipeItem:
        item = decl.item
        assert isinstance(item, syntax.PipeItem)
        return item

    def _type(self, decl: Decl, param: syntax.ParamDecl) -> Type:
        return self.expressions.types.of(decl.file, param.type)

    def _stand_in(self, decl: Decl, frame: Frame, param: syntax.ParamDecl, of: Type) -> None:
        """What a parameter is while only the definition is checked."""
        name = param.name.text
        match of:
            case Flow(Record() as row):
                frame.flows[name] = Rows(NOWHERE, row)
            case Flow():
                frame.flows[name] = Rows(NOWHERE, OPEN_ROW)
            case Model():
                frame.models[name] = Written(None, Env(decl.file))
            case Prompt():
                frame.prompts[name] = None
            case _:
                frame.values[name] = self._value(decl, param, of)

    def _value(self, decl: Decl, param: syntax.ParamDecl, of: Type) -> Typed:
        """A value parameter with its default, or nothing known of it."""
        if param.default is None:
            return Typed(graph.Const(None), of, param.span)
        found = self.expressions.constant(param.default, Env(decl.file), of, f"`{param.name.text}`")
        return Typed(found.expr, of, param.span)

    def _body(self, decl: Decl, item: syntax.PipeItem, frame: Frame, flow: str) -> Rows:
        """The rows that the body gives; every local flow is worked out, used or not."""
        env = Env(decl.file, frame=frame)
        self._open.append(decl.key)
        rows = self.flows.stream(item.result, env, flow)
        for local in item.flows:
            if local.name.text in frame.pending:
                head = syntax.NameRef(text=local.name.text, span=local.name.span)
                self.flows.head(head, env, flow)
                message = f"flow `{local.name.text}` is not used in the pipe"
                self.bag.add("W0201", local.name.span, message)
        self._open.pop()
        return rows

    # -- a use -----------------------------------------------------------------------------------

    def use(self, decl: Decl, call: syntax.Expr, rows: Rows, env: Env, flow: str) -> Rows:
        item = self._item(decl)
        if decl.key in self._open:
            self._cycle(decl)
            return Rows(NOWHERE, OPEN_ROW)
        sound = self.declare(decl)
        instance = f"{flow}.{item.name.text}"
        if not isinstance(call, syntax.Call):
            empty = syntax.Call(callee=call, args=(), args_span=call.span, span=call.span)
            return self.use(decl, empty, rows, env, flow)
        frame = Frame(instance, {}, {f.name.text: f for f in item.flows}, {}, {}, {})
        if not sound or not self._rows(decl, item.params[0], call, rows, frame):
            return Rows(NOWHERE, OPEN_ROW)
        self._arguments(decl, item, call, env, frame)
        kept = len(self.flows.rows)
        with self.bag.capture() as found:
            result = self._body(decl, item, frame, instance)
        del self.flows.rows[kept:]
        errors = [finding for finding in found if finding.severity == "error"]
        if errors:
            self._belongs_to_the_call(call, item, errors[0])
            return Rows(NOWHERE, OPEN_ROW)
        self.flows.rows.append(RowAt(call.span, flow, item.name.text, result.row))
        return result

    def _belongs_to_the_call(
        self, call: syntax.Call, item: syntax.PipeItem, finding: Diagnostic
    ) -> None:
        self.bag.add(
            finding.code,
            call.callee.span,
            f"in pipe `{item.name.text}`: {finding.message}",
            labels=[Label(finding.span, "here, with the rows and arguments of this use")],
            help=finding.help,
        )

    def _rows(
        self, decl: Decl, param: syntax.ParamDecl, call: syntax.Call, rows: Rows, frame: Frame
    ) -> bool:
        """Whether the rows fit; an optional field that they lack reads as null."""
        of = self._type(decl, param)
        wanted = of.row if isinstance(of, Flow) and isinstance(of.row, Record) else OPEN_ROW
        row = rows.row
        for field in wanted.fields:
            found = row.get(field.name)
            if found is None and may_be_null(field.type):
                row = row.having(field.name, field.type)
            elif found is None and not row.open:
                self._unfit(decl, call, field.name, field.type, "which the row does not have")
                return False
            elif found is not None and not fits(found, field.type):
                misfit = f"found {show_found(found, field.type)}"
                self._unfit(decl, call, field.name, field.type, misfit)
                return False
        frame.flows[param.name.text] = Rows(rows.node, row)
        return True

    def _unfit(self, decl: Decl, call: syntax.Call, name: str, of: Type, why: str) -> None:
        self.bag.add(
            "E0514",
            call.callee.span,
            f"pipe `{decl.name.text}` needs `{name}: {show_short(of)}`, {why}",
            labels=[Label(decl.name.span, "pipe declared here")],
            help=f"add it before: `| set({name}: …)`",
        )

    def _arguments(
        self, decl: Decl, item: syntax.PipeItem, call: syntax.Call, env: Env, frame: Frame
    ) -> None:
        declared = {param.name.text: param for param in item.params[1:]}
        params = [
            Param(name, required=param.default is None, positional=True)
            for name, param in declared.items()
        ]
        bound = bind(self.bag, call, f"`{item.name.text}`", params)
        for name, param in declared.items():
            of, arg = self._type(decl, param), bound.known.get(name)
            if arg is None:
                if param.default is None:
                    message = f"`{item.name.text}` needs `{name}:`"
                    help = f"write `{item.name.text}({name}: …)`" if not call.args else None
                    self.bag.add("E0507", call.callee.span, message, help=help)
                self._stand_in(decl, frame, param, of)
            else:
                self._argument(frame, name, of, arg.value, env)

    def _argument(self, frame: Frame, name: str, of: Type, node: syntax.Expr, env: Env) -> None:
        match of:
            case Flow():
                frame.flows[name] = self.flows.head(node, env, name)
            case Model():
                self.flows.answers.named_in(node, env)
                frame.models[name] = Written(node, env)
            case Prompt():
                frame.prompts[name] = self.flows.prompts.named(node, env)
            case _:
                found = self.expressions.constant(node, env, of, f"`{name}:`")
                frame.values[name] = Typed(found.expr, of, node.span)
