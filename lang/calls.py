"""Calls inside expressions: arguments to parameters, built-in functions, ``def``s, aggregates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import astuple, replace

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Bag, Edit, Fix, Label
from dpipe.lang.env import Env, Typed
from dpipe.lang.functions import FUNCTIONS, OF_ROW, SYNONYMS
from dpipe.lang.modules import BUILTINS, python_file, python_options, python_target
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.signatures import (
    Arrow,
    Bindings,
    Function,
    Kind,
    Param,
    Var,
    show_pattern,
    substitute,
    unify,
)
from dpipe.lang.spell import nearest
from dpipe.lang.types import (
    UNKNOWN,
    Field,
    List,
    Model,
    Record,
    Type,
    fits,
    hides,
    may_be_null,
    optional,
    required,
    show_found,
    show_short,
    without_ranges,
)

if TYPE_CHECKING:
    from dpipe.lang.answers import Answers
    from dpipe.lang.expressions import Expressions


FREE = ("fields", "labels", "names", "constants", "figures")
"""The kinds of parameter that take what no other does, whatever its label."""


DEEPEST = 200
"""How deep the body of a ``def`` is nested, with those of the functions that it calls."""


class Bound(Struct):
    """The arguments of a call by parameter, and those that take any label."""

    known: dict[str, syntax.Arg]
    rest: list[syntax.Arg]
    wrong: bool = False


def bind(
    bag: Bag, call: syntax.Call, what: str, params: Sequence[Param], *, free: bool = False
) -> Bound:
    """Which argument is which parameter's; what fits none is reported.

    ``free`` calls take further arguments, whatever their label; bare fields among them.
    """
    positional = [param.name for param in params if param.positional]
    names = {param.name for param in params if not _takes_rest(param)}
    bound = Bound({}, [])
    for arg in call.args:
        if arg.label is None and positional:
            name = positional.pop(0)
            bound.known[name] = arg
        elif arg.label is not None and arg.label.text in bound.known:
            bound.wrong = True
            bag.add("E0506", arg.label.span, f"`{arg.label.text}:` is given twice")
        elif arg.label is not None and arg.label.text in names:
            bound.known[arg.label.text] = arg
            positional = [name for name in positional if name != arg.label.text]
        elif free:
            bound.rest.append(arg)
        elif arg.label is not None:
            bound.wrong = True
            _unknown_label(bag, arg.label, what, [param.name for param in params])
        else:
            bound.wrong = True
            _too_many(bag, arg, what, _open(params, call))
    return bound


def _open(params: Sequence[Param], call: syntax.Call) -> list[Param]:
    """The parameters that no argument of the call names."""
    labels = {arg.label.text for arg in call.args if arg.label is not None}
    return [param for param in params if param.name not in labels]


def _takes_rest(param: Param) -> bool:
    return param.kind in FREE


def _unknown_label(bag: Bag, label: syntax.Name, what: str, known: list[str]) -> None:
    shown = ", ".join(f"`{name}:`" for name in known)
    help = f"it takes {shown}" if known else "it takes no arguments"
    message = f"{what} has no argument `{label.text}:`"
    if what == "`ask`" and label.text in _SAMPLING:
        help = f"options are the model's: `using: my_model({label.text}: …)`"
    meant = _LABELS.get(label.text)
    if meant is None or meant not in known:
        misspelt(bag, "E0506", label.span, label.text, message, known, help)
        return
    help, fix = f"write `{meant}:`", Fix(f"write `{meant}`", (Edit(label.span, meant),))
    bag.add("E0506", label.span, message, help=help, fixes=[fix], suggestions=[meant])


_LABELS = {
    "api_key": "key",
    "base_url": "url",
    "descending": "desc",
    "endpoint": "url",
    "into": "as",
    "max_concurrency": "concurrency",
    "model": "using",
    "name": "as",
    "output": "as",
    "reverse": "desc",
}
"""What other tools call some arguments."""

_SAMPLING = {"temperature", "top_p", "top_k", "min_p", "max_tokens", "stop", "seed", "body"}


def _too_many(bag: Bag, arg: syntax.Arg, what: str, params: Sequence[Param]) -> None:
    if isinstance(arg.value, syntax.BadExpr):
        return
    rest = [param for param in params if not param.positional]
    needed = [param for param in rest if param.required]
    labels = [f"`{param.name}:`" for param in needed or rest]
    least = sum(param.positional for param in params)
    bag.add(
        "E0506",
        arg.span,
        f"{what} takes {least or 'no'} argument{'s' if least > 1 else ''} without a label",
        help=f"say which it is: {', '.join(labels)}" if labels else None,
    )


class Calls:
    """Works out the calls of expressions."""

    answers: Answers  # set by whoever can work out embedders

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.bag = expressions.bag
        self._signatures: dict[tuple[str, str], Function] = {}
        self._open: list[tuple[str, str]] = []
        self._depths: dict[str, float] = {}  # of the defs' bodies
        self._for_row: dict[tuple[str, str], str] = {}  # defs, by what they call of `OF_ROW`

    def of(self, node: syntax.Call, env: Env) -> Typed:
        callee = node.callee
        if isinstance(callee, syntax.NameRef):
            return self._named(node, callee, env)
        if isinstance(callee, syntax.Attr) and isinstance(callee.of, syntax.NameRef):
            of = callee.of
            if self.expressions.is_module(of.text, env):
                module = syntax.Name(text=of.text, span=of.span)
                decl = self.names.member(env.file, module, callee.name)
                return self._declared(node, decl, env)
        if isinstance(callee, syntax.Attr):
            self._method(node, callee, env)
        elif not isinstance(callee, syntax.BadExpr):
            self.bag.add("E0211", callee.span, "only functions can be called")
        return self._wrong(node, env)

    def _wrong(self, node: syntax.Call, env: Env) -> Typed:
        """The arguments may have mistakes of their own; lambdas' values are not known."""
        for arg in node.args:
            if not isinstance(arg.value, syntax.Lambda):
                self.expressions.of(arg.value, replace(env, aggregates=None))
        return self.expressions.unknown(node)

    def _method(self, node: syntax.Call, callee: syntax.Attr, env: Env) -> None:
        """A method of another language, which parsing has told; what it is called on counts."""
        self.expressions.of(callee.of, replace(env, aggregates=None))

    def _named(self, node: syntax.Call, callee: syntax.NameRef, env: Env) -> Typed:
        name = callee.text
        decl = self.names.local(env.file, name)
        if decl is not None and (decl.kind in ("function", "metric") or name not in FUNCTIONS):
            return self._declared(node, decl, env)
        metric = self.names.built_in(name, "metric")
        if env.aggregates is not None and metric is not None:
            return self._aggregate(node, metric, env)
        if metric is not None and (name not in FUNCTIONS or not node.args):
            shown = f"{name}({'' if name in FUNCTIONS else '…'})"
            message = f"`{shown}` is only valid in `group` and `report`"
            self.bag.add("E0314", node.span, message, help=_instead(name, shown, env.row))
            return self._wrong(node, env)
        if name == "zip":
            return self._zip(node, env)
        if name in FUNCTIONS:
            return self._built_in(node, FUNCTIONS[name], env)
        candidates = [*FUNCTIONS, "zip", *self.names.of_kind(env.file, "function")]
        if (other := nearest(name, SYNONYMS)) is not None:
            candidates = [SYNONYMS[other]]
        if env.aggregates is not None:
            candidates += [*self.names.built_ins("metric"), *self.names.of_kind(env.file, "metric")]
        written = syntax.Name(text=name, span=callee.span)
        help = f"did you mean `{candidates[0]}`?" if len(candidates) == 1 else None
        self.names.unknown("E0211", written, f"no function `{name}`", candidates, help)
        return self._wrong(node, env)

    # -- defs ------------------------------------------------------------------------------------

    def _declared(self, node: syntax.Call, decl: Decl | None, env: Env) -> Typed:
        if decl is None or isinstance(decl.item, syntax.BadItem):
            return self._wrong(node, env)
        if isinstance(decl.item, syntax.DefItem):
            return self._def(node, decl, env)
        if isinstance(decl.item, syntax.ExternItem) and decl.item.kind == "def":
            return self._extern(node, decl, decl.item, env)
        if decl.kind == "metric" and env.aggregates is not None:
            return self._aggregate(node, decl, env)
        name = decl.name.text
        labels = [Label(decl.name.span, "declared here")]
        if decl.kind == "prompt":
            self.bag.add(
                "E0409",
                node.callee.span,
                "prompts are called with `ask`, not inside an expression",
                labels=labels,
                help=f"write `| ask({name}(…), using: …, as: .x)` before this stage",
            )
        else:
            message = f"`{name}` is a {decl.kind}, not a function"
            self.bag.add("E0211", node.callee.span, message, labels=labels)
        return self._wrong(node, env)

    def signature(self, decl: Decl) -> Function:
        """The signature of a ``def``; its body is worked out once, when first asked for."""
        item = decl.item
        assert isinstance(item, syntax.DefItem)
        if decl.key not in self._signatures:
            params = self._params(decl, item.params)
            result = self.expressions.types.of(decl.file, item.result)
            self._signatures[decl.key] = Function(item.name.text, params, result, "")
            self._body(decl, item, params, result)
        return self._signatures[decl.key]

    def _params(self, decl: Decl, params: Sequence[syntax.ParamDecl]) -> tuple[Param, ...]:
        return tuple(
            Param(
                param.name.text,
                type=self.expressions.types.of(decl.file, param.type),
                required=param.default is None,
                positional=True,
            )
            for param in params
        )

    def _body(
        self, decl: Decl, item: syntax.DefItem, params: tuple[Param, ...], result: Type
    ) -> None:
        self._open.append(decl.key)
        for param, declared in zip(params, item.params, strict=True):
            if declared.default is not None:
                what = f"`{param.name}`"
                self.expressions.expect(declared.default, Env(decl.file), param.type, what)
        env = Env(decl.file, locals={param.name: param.type for param in params}, draws=True)
        with self.expressions.apart():
            body = self.expressions.of(item.body, env)
        self._open.pop()
        if not fits(body.type, result):
            self.bag.add(
                "E0304",
                body.span,
                f"`{item.name.text}` gives {show_found(body.type, result)}, declared "
                f"{show_short(result)}",
                labels=[Label(item.result.span, "declared here")],
            )
        key = self.key(decl)
        names = tuple(param.name for param in params)
        self.expressions.defs[key] = graph.Def(key, names, _told(body, result))
        self._nested(item, key, body.expr)

    def _nested(self, item: syntax.DefItem, key: str, body: graph.Expr) -> None:
        """A run goes as deep as a body with the bodies of what it calls; told of the first."""
        depth = self._depths[key] = self._depth(body)
        if DEEPEST < depth < inf:
            self._depths[key] = inf
            message = f"`{item.name.text}` and what it calls are nested more than {DEEPEST} deep"
            self.bag.add("E0119", item.name.span, message)

    def _depth(self, part: object) -> float:
        match part:
            case graph.CallDef(key, args):
                return 1 + max(self._depth(args), self._depths.get(key, 0))
            case graph.Expr():
                return 1 + self._depth(astuple(part))
            case tuple():
                return max(map(self._depth, part), default=0)
            case _:
                return 0

    def key(self, decl: Decl) -> str:
        """What a declaration is called in the graph: as the root file would write it."""
        program = self.names.program
        if decl.file == program.root:
            return decl.name.text
        for (file, module), target in program.imports.items():
            if file == program.root and target == decl.file:
                return f"{module}.{decl.name.text}"
        return f"{decl.file}:{decl.name.text}"

    def _def(self, node: syntax.Call, decl: Decl, env: Env) -> Typed:
        item = decl.item
        assert isinstance(item, syntax.DefItem)
        if decl.key in self._open:
            trail = [name for _, name in self._open[self._open.index(decl.key) :]]
            around = f": {' -> '.join([*trail, trail[0]])}" if len(trail) > 1 else ""
            name = item.name.text
            self.bag.add("E0313", node.callee.span, f"`{name}` calls itself{around}")
            return self._wrong(node, env)
        function = self.signature(decl)
        if decl.key in self._for_row:
            self._of_row(node, env, self._for_row[decl.key], item.name.text)
        args = self._all_arguments(node, function, decl, item.params, env)
        result = _result(function, {})
        return Typed(graph.CallDef(self.key(decl), args), result, node.span)

    def _extern(self, node: syntax.Call, decl: Decl, item: syntax.ExternItem, env: Env) -> Typed:
        """A call of Python behind a typed signature."""
        params = self._params(decl, item.params)
        result: Type = UNKNOWN
        if item.result is not None:
            result = self.expressions.types.of(decl.file, item.result)
        function = Function(item.name.text, params, result, "")
        args = self._all_arguments(node, function, decl, item.params, env)
        options = python_options(item)
        called = graph.CallPython(
            resolved_target(decl, item),
            args,
            result,
            record=options.get("record") is True,
            concurrency=int(options.get("concurrency", 0)),
        )
        return Typed(called, result, node.span)

    def _all_arguments(
        self,
        node: syntax.Call,
        function: Function,
        decl: Decl,
        params: Sequence[syntax.ParamDecl],
        env: Env,
    ) -> tuple[graph.Expr, ...]:
        """An argument for each parameter; defaults belong to the file of the declaration."""
        found, _, _ = self._arguments(node, function, env)
        full: list[graph.Expr] = []
        for arg, param in zip(found, params, strict=True):
            if arg is None and param.default is not None:
                arg = self.expressions.of(param.default, Env(decl.file)).expr
            full.append(arg or graph.Const(None))
        return tuple(full)

    # -- built-in functions ----------------------------------------------------------------------

    def _built_in(self, node: syntax.Call, function: Function, env: Env) -> Typed:
        if function.name in ("env", "secret"):
            env = env.constant()
        if function.name in OF_ROW:
            self._of_row(node, env, function.name)
        args, bindings, sound = self._arguments(node, function, env)
        expr = graph.Call(function.name, tuple(args))
        return Typed(expr, _result(function, bindings) if sound else UNKNOWN, node.span)

    def _of_row(self, node: syntax.Call, env: Env, function: str, caller: str = "") -> None:
        """What hangs on the row that it is worked out for, or on that of whoever calls the def."""
        seen = env.draws and env.aggregates is None
        if function == "identity" and not self._open:
            seen = seen and env.row is not None
        if not seen:
            does = "draws for a row" if function == "pick" else "tells a row from others"
            told = f"`{function}` {does}"
            if caller:
                told = f"`{caller}` calls `{function}`, which {does}"
            self.bag.add("E0308", node.span, f"{told}; there is none here", help=OF_ROW[function])
        elif self._open and self._for_row.get(self._open[-1]) != "identity":  # which asks for more
            self._for_row[self._open[-1]] = function

    def _arguments(
        self, node: syntax.Call, function: Function, env: Env
    ) -> tuple[list[graph.Expr | None], Bindings, bool]:
        """Each parameter's argument in order, what the type variables stand for, and whether
        the call has the arguments that it needs."""
        bound = self._bound(node, function)
        bindings: Bindings = {}
        args: list[graph.Expr | None] = []
        for param in function.params:
            arg = bound.known.get(param.name)
            if arg is None:
                args.append(None)
                self._left_out(node, function, param, bindings)
            elif isinstance(param.type, Arrow):
                args.append(self._lambda(arg.value, function, param.type, bindings, env).expr)
            else:
                given = self._value(arg.value, function, param, bindings, env)
                args.append(_told(given, param.type))
        return args, bindings, not bound.wrong

    def _bound(self, node: syntax.Call, function: Function) -> Bound:
        what = f"`{function.name}`"
        most, found = len(function.params), len(node.args)
        plain = all(arg.label is None for arg in node.args)
        if plain and not function.least <= found <= most:
            count = str(most) if most == function.least else f"{function.least} to {most}"
            self.bag.add(
                "E0311",
                node.args_span,
                f"{what} takes {count} argument{'' if count == '1' else 's'}, found {found}",
                help=f"it is `{function}`",
            )
            return Bound(
                wrong=True,
                rest=[],
                known={p.name: a for p, a in zip(function.params, node.args, strict=False)}
                | {p.name: _bad(node) for p in function.params[found:] if p.required},
            )
        bound = bind(self.bag, node, what, function.params)
        for param in function.params:
            if param.required and param.name not in bound.known:
                if not bound.wrong:
                    message, help = f"{what} needs `{param.name}`", f"it is `{function}`"
                    self.bag.add("E0507", node.args_span, message, help=help)
                bound.known[param.name] = _bad(node)
        return bound

    def _value(
        self, node: syntax.Expr, function: Function, param: Param, bindings: Bindings, env: Env
    ) -> Typed:
        found = self.expressions.of(node, env)
        what = f"`{function.name}`"
        if not unify(param.type, found.type, bindings):
            if may_be_null(found.type) and unify(param.type, required(found.type), bindings):
                self.expressions.may_be_null(found)
            elif not _is_pattern(param.type):
                self.expressions.need(found, param.type, what)
            else:
                self.bag.add(
                    "E0303",
                    found.span,
                    f"{what} needs {_article(param.type)}, found "
                    f"{show_short(without_ranges(found.type))}",
                )
        return found

    def _lambda(
        self, node: syntax.Expr, function: Function, arrow: Arrow, bindings: Bindings, env: Env
    ) -> Typed:
        takes = substitute(arrow.takes, bindings)
        wanted = UNKNOWN if _is_pattern(arrow.gives) else arrow.gives
        found = self.expressions.function(node, env, takes, wanted, f"`{function.name}`")
        if not unify(arrow.gives, found.type, bindings):
            self.bag.add(
                "E0303",
                found.span,
                f"`{function.name}` needs {_article(arrow.gives)}, found {show_short(found.type)}",
            )
        return found

    def _left_out(
        self, node: syntax.Call, function: Function, param: Param, bindings: Bindings
    ) -> None:
        """Where a lambda is left out, the element itself is what it would give."""
        if not isinstance(param.type, Arrow):
            return
        element = substitute(param.type.takes, bindings)
        if not unify(param.type.gives, element, bindings):
            message = f"`{function.name}` needs to know what to take of each {show_short(element)}"
            xs = self.expressions.text(node.args[0].span)
            part = "x ?? …" if unify(param.type.gives, required(element), {}) else "…"
            help = f"write `{function.name}({xs}, x -> {part})`"
            self.bag.add("E0307", node.args_span, message, help=help)

    def _zip(self, node: syntax.Call, env: Env) -> Typed:
        fields: list[Field] = []
        entries: list[tuple[str, graph.Expr]] = []
        for arg in node.args:
            found = self.expressions.of(arg.value, env)
            if arg.label is None:
                self.bag.add("E0506", arg.span, "`zip` needs a label for each list: `zip(a: xs)`")
                continue
            self.expressions.need(found, List(UNKNOWN), "`zip`")
            of = found.type.of if isinstance(found.type, List) else UNKNOWN
            fields.append(Field(arg.label.text, of))
            entries.append((arg.label.text, found.expr))
        expr = graph.Call("zip", (graph.RecordOf(tuple(entries)),))
        return Typed(expr, List(Record(tuple(fields))), node.span)

    # -- aggregates ------------------------------------------------------------------------------

    def _aggregate(self, node: syntax.Call, decl: Decl, env: Env) -> Typed:
        """An aggregate of a figure; inside it stands an expression over one row."""
        assert env.aggregates is not None
        item = decl.item
        assert isinstance(item, syntax.ExternItem)
        function = self._metric(decl, item)
        bound = self._bound(node, function)
        value: Typed | None = None
        options: list[tuple[str, graph.Expr]] = []
        embedder: graph.One | None = None
        for param in function.params:
            arg = bound.known.get(param.name)
            if arg is None:
                continue
            if param.kind == "embedder":
                embedder = self.answers.embedder(arg.value, env)
            elif param.kind == "const":
                found = self._value(arg.value, function, param, {}, env.constant())
                options.append((param.name, found.expr))
            else:
                inner = replace(env, aggregates=None)
                value = self._value(arg.value, function, param, {}, inner)
        for declared in item.params[1:]:
            if declared.default is not None and declared.name.text not in bound.known:
                default = self.expressions.of(declared.default, Env(decl.file))
                options.append((declared.name.text, default.expr))
        target = resolved_target(decl, item)
        result = None if decl.file == BUILTINS else _result(function, {})
        fed = None if value is None else value.expr
        env.aggregates.append(graph.Metric(target, fed, tuple(options), embedder, result))
        place = graph.Local(f"${len(env.aggregates) - 1}")
        if result is None and value is not None and decl.name.text in _OF_VALUE:
            return Typed(place, _OF_VALUE[decl.name.text](required(value.type)), node.span)
        return Typed(place, _result(function, {}), node.span)

    def _metric(self, decl: Decl, item: syntax.ExternItem) -> Function:
        """The signature of a metric: its first parameter is fed each row's value, or null."""
        types = self.expressions.types
        params: list[Param] = []
        for number, param in enumerate(item.params):
            of = types.of(decl.file, param.type)
            kind: Kind = "embedder" if isinstance(of, Model) else "const"
            if decl.file == BUILTINS and item.name.text in ("min", "max"):
                of = Var("T", "ordered")
            params.append(
                Param(
                    param.name.text,
                    kind if number else "expr",
                    of if number else optional(of),
                    required=param.default is None,
                    positional=kind != "embedder",
                )
            )
        result = types.of(decl.file, item.result) if item.result is not None else UNKNOWN
        return Function(item.name.text, tuple(params), result, "")


_OF_VALUE: dict[str, Callable[[Type], Type]] = {"min": optional, "max": optional, "collect": List}
"""What built-in metrics give whose figure is made of the values that they are fed."""


def _told(found: Typed, of: Type) -> graph.Expr:
    """The value with the fields alone of which ``of`` tells."""
    return graph.Told(found.expr, of) if hides(found.type, of) else found.expr


def resolved_target(decl: Decl, item: syntax.ExternItem) -> str:
    """``module:name``, or ``folder/file.py:name`` as seen from the root program."""
    target = python_target(item)
    path = python_file(decl.file, target)
    return target if path is None else f"{path}:{target.partition(':')[2]}"


def _instead(name: str, shown: str, row: Record | None) -> str | None:
    """What an aggregate in the wrong place may have meant: a list's function, or a figure."""
    fields = row.fields if row is not None else ()
    lists = [field.name for field in fields if isinstance(field.type, List)]
    if name in FUNCTIONS and lists:
        takes = ", t -> …" if len(FUNCTIONS[name].params) > 1 else ""
        return f"of a list it is `{name}(.{lists[0]}{takes})`"
    if fields:
        return f"of the rows of each key it is `| group(by: .{fields[0].name}, n: {shown})`"
    return None


def _result(function: Function, bindings: Bindings) -> Type:
    result = function.result
    return substitute(result, bindings) if isinstance(result, Type) else result(bindings)


def _bad(node: syntax.Call) -> syntax.Arg:
    return syntax.Arg(label=None, value=syntax.BadExpr(span=node.span), span=node.span)


def _is_pattern(of: Type) -> bool:
    return substitute(of, {}) != of


def _article(of: Type) -> str:
    match of:
        case List():
            return "a list"
        case Var(_, "number"):
            return "a number"
        case Var(_, "ordered"):
            return "a number or a text"
        case _:
            return show_pattern(of)
