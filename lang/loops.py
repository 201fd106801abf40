"""``loop``: a pipe whose rows go round, so it must give back the row that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpipe.lang import graph, syntax
from dpipe.lang.calls import bind
from dpipe.lang.env import Env
from dpipe.lang.names import Decl, not_a_choice
from dpipe.lang.rows import NOWHERE, RowAt, Rows
from dpipe.lang.stages import LOOP
from dpipe.lang.types import (
    BOOL,
    INT,
    OPEN_ROW,
    Flow,
    Int,
    Record,
    fits,
    quote,
    show_found,
    show_short,
)

if TYPE_CHECKING:
    from dpipe.lang.flows import Flows


TIMES = Int(0, 1000)
"""Rounds of a loop; each is a copy of its body."""


class Loops:
    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.bag = flows.bag

    def use(self, call: syntax.Call, rows: Rows, env: Env, flow: str) -> Rows:
        bound = bind(self.bag, call, "`loop`", LOOP.params)
        lost = Rows(NOWHERE, OPEN_ROW)
        for param in LOOP.params:
            if param.required and param.name not in bound.known:
                label = param.name if param.positional else f"{param.name}:"
                message = f"`loop` needs `{label}`: {param.doc}"
                self.bag.add("E0507", call.callee.span, message)
                return lost
        body = bound.known["pipe"].value
        callee = body.callee if isinstance(body, syntax.Call) else body
        own = self.flows.pipes.named(callee, env.file)
        pipe = own or self.flows.foreign.named(callee, env.file)
        if pipe is None:
            if not isinstance(body, syntax.BadExpr) and not self._broken(callee, env):
                help = "write `loop(my_pipe(…), times: 2)`"
                self.bag.add("E0515", body.span, "`loop` needs a pipe", help=help)
            return lost
        row = self._taken(pipe, rows.row).having("round", INT)
        entry = self.flows.add(graph.EntryNode(flow, row, self.flows.place(callee.span)))
        use = self.flows.pipes.use if own else self.flows.foreign.use
        inner = use(pipe, body, Rows(entry, row), env, flow)
        times = self.expressions.constant(bound.known["times"].value, env, TIMES, "`times:`")
        until = None
        if "until" in bound.known:
            seen = Env(env.file, row=row, draws=True, frame=env.frame)
            until = self.expressions.expect(bound.known["until"].value, seen, BOOL, "`until:`").expr
        keep = self._keep(bound.known.get("keep"))
        if inner.node == NOWHERE or not self._returns(body, inner.row, row):
            return Rows(NOWHERE, row)
        if entry not in graph.needed(self.flows.nodes, inner.node):
            message = "the pipe of a loop makes nothing of the rows that it is given"
            help = "begin what it gives with its first parameter, as `rows | …`"
            self.bag.add("E0511", body.span, message, help=help)
            return Rows(NOWHERE, row)
        self.flows.rows.append(RowAt(call.span, flow, "loop", row))
        if rows.node == NOWHERE:
            return Rows(NOWHERE, row)
        place = self.flows.place(call.callee.span)
        loop = graph.LoopNode(
            flow, rows.node, entry, inner.node, times.expr, until, keep, row, place
        )
        self.flows.calls[len(self.flows.nodes)] = call
        return Rows(self.flows.add(loop), row)

    def _taken(self, pipe: Decl, row: Record) -> Record:
        """The row with the types that the pipe declares for what it reads."""
        item = pipe.item
        assert isinstance(item, syntax.PipeItem | syntax.ExternItem)
        of = self.expressions.types.of(pipe.file, item.params[0].type) if item.params else None
        if isinstance(of, Flow) and isinstance(of.row, Record):
            for field in of.row.fields:
                row = row.having(field.name, field.type, field.description)
        return row

    def _broken(self, callee: syntax.Expr, env: Env) -> bool:
        """Whether the name is of a declaration that did not parse."""
        if not isinstance(callee, syntax.NameRef):
            return False
        decl = self.flows.names.local(env.file, callee.text)
        return decl is not None and isinstance(decl.item, syntax.BadItem)

    def _keep(self, arg: syntax.Arg | None) -> str:
        if arg is None:
            return "last"
        value = arg.value
        word = value.constant if isinstance(value, syntax.StringExpr) else None
        if word in ("last", "all"):
            return word
        not_a_choice(self.bag, value.span, "keep", quote(word or ""), ('"last"', '"all"'))
        return "last"

    def _returns(self, body: syntax.Expr, given: Record, taken: Record) -> bool:
        """Whether the pipe gives back the row that it takes, no field more or less."""
        why = _difference(given, taken)
        if why is None or given.open:
            return True
        difference, way_out = why
        message = f"the pipe of a loop gives back the row that it takes: {difference}"
        self.bag.add("E0511", body.span, message, help=way_out)
        return False


def _difference(given: Record, taken: Record) -> tuple[str, str | None] | None:
    """How the row that comes back is another one, and what mends that."""
    for field in taken.fields:
        name, found = field.name, given.get(field.name)
        if found is None:
            return f"it loses field `{name}`", f"keep `.{name}` to the end of the pipe"
        if not fits(found, field.type):
            back = f"`{name}` comes back as {show_found(found, field.type)}"
            return f"{back}, not {show_short(field.type)}", None
    more = [name for name in given.names() if taken.get(name) is None]
    if not more:
        return None
    dropped = ", ".join(f".{name}" for name in more)
    return f"it adds field `{more[0]}`", f"end the pipe with `| drop({dropped})`"
