"""``extern pipe``s: Python that takes rows and gives rows, used as a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpipe.lang import graph, syntax
from dpipe.lang.calls import bind, resolved_target
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env
from dpipe.lang.names import Decl
from dpipe.lang.readers import constants, with_defaults
from dpipe.lang.rows import NOWHERE, RowAt, Rows
from dpipe.lang.signatures import Param
from dpipe.lang.types import Flow, Record, fits, may_be_null, show_found, show_short

if TYPE_CHECKING:
    from dpipe.lang.flows import Flows

STAGE = "python"
"""What the graph calls such a stage; its arguments are the target and the pipe's constants."""


class ForeignPipes:
    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.names = flows.names
        self.types = flows.expressions.types
        self.bag = flows.bag

    def named(self, callee: syntax.Expr, file: str) -> Decl | None:
        """The ``extern pipe`` that a stage names."""
        match callee:
            case syntax.NameRef(text=text):
                decl = self.names.declared[file].get(text)
                return self.names.local(file, text) if _is_one(decl) else None
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                target = self.names.module(file, text)
                if target and _is_one(self.names.declared[target].get(name.text)):
                    return self.names.member(file, syntax.Name(text=text, span=of.span), name)
        return None

    def use(self, decl: Decl, call: syntax.Expr, rows: Rows, env: Env, flow: str) -> Rows:
        item = decl.item
        assert isinstance(item, syntax.ExternItem)
        if not isinstance(call, syntax.Call):
            call = syntax.Call(callee=call, args=(), args_span=call.span, span=call.span)
        row = self._row(decl, item, rows.row)
        if not self._fits(decl, item, call, rows.row):
            return Rows(NOWHERE, row)
        params = [
            Param(
                param.name.text,
                "const",
                self.types.of(decl.file, param.type),
                required=param.default is None,
                positional=True,
            )
            for param in item.params[1:]
        ]
        what = f"`{item.name.text}`"
        bound = bind(self.bag, call, what, params)
        options = constants(self.flows.expressions, bound, call, params, env, what)
        options = with_defaults(self.flows.expressions, options, item.params[1:], decl.file)
        self.flows.rows.append(RowAt(call.span, flow, item.name.text, row))
        if rows.node == NOWHERE:
            return Rows(NOWHERE, row)
        args: dict[str, graph.Arg] = {
            "target": graph.Const(resolved_target(decl, item)),
            "options": graph.Fields(tuple(options.items())),
        }
        place = self.flows.place(call.callee.span)
        name = f"{flow}.{item.name.text}"
        node = graph.StageNode(name, STAGE, rows.node, args, row, place)
        self.flows.calls[len(self.flows.nodes)] = call
        return Rows(self.flows.add(node), row)

    def _row(self, decl: Decl, item: syntax.ExternItem, row: Record) -> Record:
        """What the pipe declares that it gives; without, the rows that it takes."""
        return row if item.result is None else self.types.row(decl.file, item.result)

    def _fits(self, decl: Decl, item: syntax.ExternItem, call: syntax.Call, row: Record) -> bool:
        of = self.types.of(decl.file, item.params[0].type) if item.params else None
        if not isinstance(of, Flow):
            message = f"the first parameter of pipe `{item.name.text}` takes its rows"
            self.bag.add("E0501", item.name.span, message, help="write `rows: flow[{ text: str }]`")
            return False
        wanted = of.row.fields if isinstance(of.row, Record) else ()
        for field in wanted:
            found = row.get(field.name)
            if found is not None and fits(found, field.type):
                continue
            if found is None and (row.open or may_be_null(field.type)):
                continue
            misfit = "which the row does not have"
            if found is not None:
                misfit = f"found {show_found(found, field.type)}"
            self.bag.add(
                "E0514",
                call.callee.span,
                f"pipe `{item.name.text}` needs `{field.name}: {show_short(field.type)}`, {misfit}",
                labels=[Label(decl.name.span, "pipe declared here")],
            )
            return False
        return True


def _is_one(decl: Decl | None) -> bool:
    return (
        decl is not None and isinstance(decl.item, syntax.ExternItem) and decl.item.kind == "pipe"
    )
