"""Sources and writers: the Python behind them by their ``extern`` signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dpipe.lang import graph, syntax
from dpipe.lang.calls import Bound, bind, resolved_target
from dpipe.lang.env import Env
from dpipe.lang.expressions import Expressions
from dpipe.lang.modules import BUILTINS
from dpipe.lang.names import Decl
from dpipe.lang.signatures import Param
from dpipe.lang.source import Span
from dpipe.lang.types import NEVER, OPEN_ROW, Enum, Field, Record, Type, optional, plain, widen


class Readers:
    """Works out ``source`` declarations."""

    def __init__(self, expressions: Expressions, place: Callable[[Span], graph.Place]) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.bag = expressions.bag
        self.place = place

    def source(self, decl: Decl, item: syntax.SourceItem) -> graph.SourceNode | None:
        """The node of a source; None where its call is wrong."""
        call = item.value
        if isinstance(call, syntax.BadExpr):
            return None
        reader = self._reader(call, decl.file)
        if reader is None:
            return None
        if not isinstance(call, syntax.Call):
            help = f"write `{reader.name.text}(…)`"
            self.bag.add("E0507", call.span, "a reader needs its arguments", help=help)
            return None
        chosen = self._overload(reader, call)
        extern = chosen.item
        assert isinstance(extern, syntax.ExternItem)
        args = self._arguments(chosen, extern, call, decl.file)
        return graph.SourceNode(
            item.name.text,
            resolved_target(chosen, extern),
            args,
            self._row(decl, item, chosen, extern, call),
            item.row is not None or extern.result is None or chosen.file != BUILTINS,
            self.place(item.name.span),
        )

    def _reader(self, call: syntax.Expr, file: str) -> Decl | None:
        callee = call.callee if isinstance(call, syntax.Call) else call
        match callee:
            case syntax.NameRef(text=text):
                own = self.names.declared[file].get(text)
                if own is not None and own.kind == "source" and _is_extern(own):
                    return self.names.local(file, text)
                found = self.names.built_in(text, "source")
                if found is None:
                    self._unknown(callee, text, file)
                return found
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                module = syntax.Name(text=text, span=of.span)
                decl = self.names.member(file, module, name)
                if decl is None or _is_extern(decl):
                    return decl
                message = f"`{name.text}` is a {decl.kind}, not a reader"
                self.bag.add("E0204", name.span, message)
                return None
        if not isinstance(callee, syntax.BadExpr):
            self.bag.add("E0204", callee.span, "a source needs a reader, as `jsonl(…)`")
        return None

    def _unknown(self, callee: syntax.NameRef, text: str, file: str) -> None:
        known = [*self.names.built_ins("source")]
        name = syntax.Name(text=text, span=callee.span)
        decl = self.names.local(file, text)
        if decl is not None and not isinstance(decl.item, syntax.BadItem):
            message = f"`{text}` is a {decl.kind}, not a reader"
            help = "a flow over it is `flow x = …`" if decl.kind in ("flow", "source") else None
            self.bag.add("E0204", callee.span, message, help=help)
        elif decl is None:
            self.names.unknown("E0204", name, f"no reader `{text}`", known)

    def _overload(self, reader: Decl, call: syntax.Call) -> Decl:
        """The declaration whose literal parameters the call's arguments fit."""
        overloads = self.names.overloads(reader)
        if len(overloads) < 2:
            return reader
        given = {
            arg.label.text: arg.value.constant
            for arg in call.args
            if arg.label is not None and isinstance(arg.value, syntax.StringExpr)
        }
        for overload in overloads:
            item = overload.item
            assert isinstance(item, syntax.ExternItem)
            if all(_literal_fits(param, given) for param in item.params):
                return overload
        return reader

    def _row(
        self,
        decl: Decl,
        item: syntax.SourceItem,
        reader: Decl,
        extern: syntax.ExternItem,
        call: syntax.Call,
    ) -> Record:
        types = self.expressions.types
        if item.row is not None:
            return types.row(decl.file, item.row)
        if extern.result is not None:
            return types.row(reader.file, extern.result)
        if reader.file == BUILTINS and extern.name.text == "rows" and call.args:
            with self.bag.capture():  # what is wrong in them has been told
                written = self._written(call.args[0].value, decl.file)
            if written is not None:
                return written
        self.bag.add(
            "E0301",
            item.name.span,
            f"source `{item.name.text}` needs a row type",
            help=f"write `source {item.name.text}: {{ text: str }} = …` with its columns",
        )
        return OPEN_ROW

    def _written(self, records: syntax.Expr, file: str) -> Record | None:
        """The row of records that stand in the program: texts, numbers, not these very ones."""
        items = records.items if isinstance(records, syntax.ListExpr) else ()
        found = [plain(self.expressions.of(item, Env(file)).type) for item in items]
        rows = [row for row in found if isinstance(row, Record)]
        if not rows or len(rows) < len(found):
            return None
        fields: dict[str, Type] = {}
        for row in rows:
            for field in row.fields:
                fields[field.name] = widen(fields.get(field.name, NEVER), field.type)
        missing = {name for row in rows for name in fields if row.get(name) is None}
        return Record(
            tuple(Field(n, optional(of) if n in missing else of) for n, of in fields.items())
        )

    def _arguments(
        self, reader: Decl, extern: syntax.ExternItem, call: syntax.Call, file: str
    ) -> dict[str, graph.Expr]:
        params = self._params(reader, extern.params)
        what = f"`{extern.name.text}`"
        bound = bind(self.bag, call, what, params)
        found = constants(self.expressions, bound, call, params, Env(file), what)
        found = with_defaults(self.expressions, found, extern.params, reader.file)
        choices = self._choices(reader)  # these have chosen the reader; it is not given them
        return {name: value for name, value in found.items() if name not in choices}

    def _params(self, reader: Decl, declared: Sequence[syntax.ParamDecl]) -> tuple[Param, ...]:
        choices = self._choices(reader)
        return tuple(
            Param(
                param.name.text,
                "const",
                choices.get(param.name.text) or self.expressions.types.of(reader.file, param.type),
                required=param.default is None and param.name.text not in choices,
                positional=True,
            )
            for param in declared
        )

    def _choices(self, reader: Decl) -> dict[str, Type]:
        """Parameters that tell overloads apart take what any of them takes."""
        found: dict[str, Type] = {}
        overloads = self.names.overloads(reader)
        if len(overloads) < 2:
            return found
        for overload in overloads:
            item = overload.item
            assert isinstance(item, syntax.ExternItem)
            for param in item.params:
                of = self.expressions.types.of(reader.file, param.type)
                if isinstance(of, Enum):
                    name = param.name.text
                    found[name] = widen(found[name], of) if name in found else of
        return found


def constants(
    expressions: Expressions,
    bound: Bound,
    call: syntax.Call,
    params: Sequence[Param],
    env: Env,
    what: str,
) -> dict[str, graph.Expr]:
    """The constant arguments of a call; one that is needed and missing is reported."""
    found: dict[str, graph.Expr] = {}
    for param in params:
        arg = bound.known.get(param.name)
        if arg is not None:
            shown = what if arg.label is None else f"`{param.name}:`"
            value = expressions.constant(arg.value, env, param.type, shown)
            found[param.name] = value.expr
        elif param.required:
            expressions.bag.add("E0507", call.args_span, f"{what} needs `{param.name}`")
    return found


def with_defaults(
    expressions: Expressions,
    given: dict[str, graph.Expr],
    declared: Sequence[syntax.ParamDecl],
    file: str,
) -> dict[str, graph.Expr]:
    """The arguments, and the declared default of each that is not given."""
    found = dict(given)
    for param in declared:
        if param.default is not None and param.name.text not in found:
            found[param.name.text] = expressions.of(param.default, Env(file)).expr
    return found


def _is_extern(decl: Decl) -> bool:
    return isinstance(decl.item, syntax.ExternItem) and decl.item.kind == "source"


def _literal_fits(param: syntax.ParamDecl, given: dict[str, str | None]) -> bool:
    if not isinstance(param.type, syntax.LiteralType):
        return True
    if param.name.text in given:
        return given[param.name.text] == param.type.value
    return param.default is not None
