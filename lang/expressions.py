"""Expressions: each becomes one of the graph, with its type.

One method a form. A wrong expression is reported once and has type ``?``, which fits everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.calls import Calls
from dpipe.lang.diagnostics import Edit, Fix, Label
from dpipe.lang.env import Env, Facts, Path, Typed, facts_when, path_of
from dpipe.lang.functions import FUNCTIONS, SYNONYMS
from dpipe.lang.names import Decl, Names, misspelt
from dpipe.lang.operators import Operators, literal_type
from dpipe.lang.scan import report
from dpipe.lang.source import Span
from dpipe.lang.spell import nearest
from dpipe.lang.templates import Known, worked_out_elsewhere
from dpipe.lang.types import (
    BOOL,
    INT,
    JSON,
    KEY_ONLY,
    NEVER,
    NULL,
    STR,
    UNKNOWN,
    Bool,
    Enum,
    Field,
    Float,
    Image,
    Int,
    Json,
    List,
    Never,
    Record,
    Secret,
    Str,
    Type,
    Unknown,
    fits,
    holds_secret,
    may_be_null,
    optional,
    quote,
    required,
    show_found,
    show_short,
    show_wanted,
    widen,
    without_ranges,
)
from dpipe.lang.typing import Types

NOTHING = graph.Const(None)


class Expressions:
    """Works out expressions; ``defs`` collects the program's functions that are called."""

    def __init__(self, names: Names, types: Types) -> None:
        self.names = names
        self.types = types
        self.bag = names.bag
        self.defs: dict[str, graph.Def] = {}
        self.defaults: dict[str, graph.Expr | None] = {}
        self.calls = Calls(self)
        self.operators = Operators(self)
        self._params: dict[tuple[str, str], Typed] = {}
        self._open: list[tuple[str, str]] = []
        self.places: dict[Path, Type] = {}

    # -- the ways in -----------------------------------------------------------------------------

    def expect(self, node: syntax.Expr, env: Env, wanted: Type, what: str) -> Typed:
        """The expression where ``wanted`` is needed; ``what`` names who needs it."""
        found = self.of(node, env, wanted)
        self.need(found, wanted, what)
        return found

    def constant(self, node: syntax.Expr, env: Env, wanted: Type, what: str) -> Typed:
        """A constant where ``wanted`` is needed.

        Whether a setting lies in a range is seen when the run starts, not here.
        """
        found = self.of(node, env.constant())
        literal = isinstance(found.expr, graph.Const) and found.type == literal_type(
            found.expr.value
        )
        self.need(found, wanted if literal else without_ranges(wanted), what)
        return found

    def need(self, found: Typed, wanted: Type, what: str, code: str = "E0303") -> bool:
        """Report where the value does not fit; a value that may be null has its own way out."""
        if fits(found.type, wanted):
            return True
        if isinstance(found.type, Secret):
            self.bag.add(
                "E0607", found.span, "a secret goes only where a key is needed, as in `key:`"
            )
        elif may_be_null(found.type) and fits(required(found.type), wanted):
            self.may_be_null(found)
        elif isinstance(wanted, Enum) and isinstance(found.type, Enum):
            self.operators.comparisons.not_members(found, wanted)
        else:
            needed = show_wanted(wanted, found.type)
            if _is_plain_record(wanted, found.type):
                needed = "a record"
            self.bag.add(
                code,
                found.span,
                f"{what} needs {needed}, found {show_found(found.type, wanted)}",
                help=self.conversion(found, wanted),
            )
        return False

    def conversion(self, found: Typed, wanted: Type) -> str | None:
        """How the value could be made to fit, with the text that the program has for it."""
        return _conversion(found.type, wanted, self.text(found.span))

    def may_be_null(self, found: Typed) -> None:
        fallback = '"…"' if isinstance(required(found.type), Str | Enum) else "…"
        text = self._text(found.span)
        if text.startswith("{"):
            help = "give it a default before: a text holds no null"
            if text.startswith("{."):
                name = text.strip("{}").rpartition(".")[2]
                path = text[1:-1]
                help = (
                    f"give it a default before, `| set({name}: {path} ?? {fallback})`, or leave "
                    f"out rows without it, `| where({path} != null)`"
                )
            self.bag.add("E0309", found.span, f"`{show_short(found.type)}` may be null", help=help)
            return
        text = text if len(text) <= 40 else "x"
        self.bag.add(
            "E0309",
            found.span,
            f"`{show_short(found.type)}` may be null" if found.type != NULL else "this is null",
            help=f"write `({text} ?? {fallback})`, or test it before with `where({text} != null)`",
        )

    def of(self, node: syntax.Expr, env: Env, wanted: Type | None = None) -> Typed:
        """The expression; ``wanted`` only helps lambdas and empty lists, it is not enforced."""
        match node:
            case syntax.Literal(value=value):
                return Typed(graph.Const(value), literal_type(value), node.span)
            case syntax.StringExpr():
                return self._string(node, env)
            case syntax.NameRef():
                return self._name(node, env)
            case syntax.FieldRef():
                return self._field(node, env)
            case syntax.Attr():
                return self._attr(node, env)
            case syntax.Call():
                return self.calls.of(node, env)
            case syntax.Index():
                return self._index(node, env)
            case syntax.Binary():
                return self.operators.binary(node, env)
            case syntax.Unary():
                return self.operators.unary(node, env)
            case syntax.If():
                return self._if(node, env)
            case syntax.ListExpr(items=items):
                return self._list(node, [self.of(item, env) for item in items])
            case syntax.RecordExpr():
                return self._record(node, env)
            case syntax.Lambda():
                self.bag.add(
                    "E0113", node.param.span, "a lambda stands only where a function takes one"
                )
        return self.unknown(node)

    def unknown(self, node: syntax.Node) -> Typed:
        return Typed(NOTHING, UNKNOWN, node.span)

    def test(self, node: syntax.Expr, env: Env, what: str) -> tuple[Typed, Facts]:
        """A condition, and what is known where it holds."""
        found = self.expect(node, env, BOOL, what)
        return found, facts_when(found.expr, self.places, True)

    def function(self, node: syntax.Expr, env: Env, takes: Type, wanted: Type, what: str) -> Typed:
        """A lambda whose value is of type ``takes``; its type is the body's."""
        if not isinstance(node, syntax.Lambda):
            if not isinstance(node, syntax.BadExpr):
                self.bag.add(
                    "E0307", node.span, "expected a function", help=_lambda_help(node, self._text)
                )
            return self.unknown(node)
        with self.apart():
            body = self.of(node.body, env.binding(node.param.text, takes))
        self.need(body, wanted, what)
        return Typed(graph.Lambda(node.param.text, body.expr), body.type, node.span)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Another scope: its variables may be called as those of the test around it."""
        places, self.places = self.places, {}
        yield
        self.places = places

    def text(self, span: Span) -> str:
        """A piece of the program for a message; "…" where it is long."""
        text = self._text(span)
        return text if len(text) <= 40 and "\n" not in text else "…"

    def _text(self, span: Span) -> str:
        return self.names.program.sources[span.file].text[span.start : span.end]

    # -- names and fields ------------------------------------------------------------------------

    def _seen(self, typed: Typed, env: Env) -> Typed:
        """A place that is read: what tests have shown of it counts."""
        path = path_of(typed.expr)
        if path is None:
            return typed
        self.places[path] = typed.type
        return replace(typed, type=env.facts[path]) if path in env.facts else typed

    def _name(self, node: syntax.NameRef, env: Env) -> Typed:
        if node.text in env.locals:
            found = Typed(graph.Local(node.text), env.locals[node.text], node.span)
            return self._seen(found, env)
        if env.frame is not None and node.text in env.frame.values:
            return replace(env.frame.values[node.text], span=node.span)
        if env.frame is not None and (kind := env.frame.kind(node.text)) is not None:
            self.bag.add("E0201", node.span, f"`{node.text}` is a {kind}, not a value")
            return self.unknown(node)
        decl = self.names.local(env.file, node.text)
        if decl is None:
            self._unknown_name(node, env)
            return self.unknown(node)
        return self._seen(self.declared(decl, node), env)

    def declared(self, decl: Decl, node: syntax.Node) -> Typed:
        """The value of a declaration; only params have one."""
        if isinstance(decl.item, syntax.ParamItem):
            return replace(self.param(decl), span=node.span)
        if isinstance(decl.item, syntax.BadItem):
            return self.unknown(node)
        labels = [Label(decl.name.span, "declared here")]
        name = decl.name.text
        if decl.kind == "prompt":
            self.bag.add(
                "E0409",
                node.span,
                "prompts are called with `ask`, not inside an expression",
                labels=labels,
                help=f"write `| ask({name}, using: …, as: .x)` before this stage",
            )
        else:
            help = f"call it: `{name}(…)`" if decl.kind == "function" else None
            message = f"`{name}` is a {decl.kind}, not a value"
            self.bag.add("E0201", node.span, message, labels=labels, help=help)
        return self.unknown(node)

    def param(self, decl: Decl) -> Typed:
        """A setting of the root program; the constant itself in an imported file."""
        item = decl.item
        assert isinstance(item, syntax.ParamItem)
        if decl.key in self._open:
            self.bag.add("E0209", item.name.span, f"`{item.name.text}` depends on itself")
            return self.unknown(item)
        if decl.key not in self._params:
            self._open.append(decl.key)
            self._params[decl.key] = self._param(decl, item)
            self._open.pop()
        return self._params[decl.key]

    def _param(self, decl: Decl, item: syntax.ParamItem) -> Typed:
        type = self.types.of(decl.file, item.type)
        root = decl.file == self.names.program.root
        if item.default is None and not root:
            self.bag.add(
                "E0507",
                item.name.span,
                f"param `{item.name.text}` of an imported file needs a value",
                help="only the root file's params can be set from outside",
            )
            return self.unknown(item)
        value = None
        if item.default is not None:
            value = self.expect(item.default, Env(decl.file), type, f"`{item.name.text}`").expr
        if not root:
            return Typed(value or NOTHING, type, item.span)
        self.defaults[item.name.text] = value
        return Typed(graph.Param(item.name.text), type, item.span)

    def _unknown_name(self, node: syntax.NameRef, env: Env) -> None:
        """Report a name that is none: perhaps a field, a function, or a word of Python."""
        text, unknown = node.text, f"unknown name `{node.text}`"
        fields = env.row.names() if env.row is not None and not env.prompt else []
        figure = env.aggregates is not None and self.names.built_in(text, "metric") is not None
        if text in fields or text in _LITERALS:
            written = f".{text}" if text in fields else _LITERALS[text]
            help = f"{'to read the field, ' if text in fields else ''}write `{written}`"
            fix = Fix(f"write `{written}`", (Edit(node.span, written),), safe=text not in fields)
            self.bag.add("E0201", node.span, unknown, help=help, fixes=[fix])
        elif text in FUNCTIONS or figure:
            message = f"`{text}` is a function, not a value"
            self.bag.add("E0201", node.span, message, help=f"call it: `{text}(…)`")
        else:
            name = syntax.Name(text=text, span=node.span)
            candidates = [*env.locals, *self.names.of_kind(env.file, "param")]
            field, near = nearest(text, fields), nearest(text, candidates)
            meant = f"did you mean the field `.{field}`?" if field and near is None else None
            self.names.unknown("E0201", name, unknown, candidates, meant)

    def _field(self, node: syntax.FieldRef, env: Env) -> Typed:
        if env.row is None or env.aggregates is not None:
            self._outside(node, env)
            return self.unknown(node)
        found = env.row.get(node.text)
        if found is None:
            if not env.row.open:
                self.unknown_field(node.span, node.text, env.row)
            return Typed(graph.Field(node.text), UNKNOWN, node.span)
        return self._seen(Typed(graph.Field(node.text), found, node.span), env)

    def _outside(self, node: syntax.FieldRef, env: Env) -> None:
        help = None
        if env.aggregates is not None:
            message = f"`.{node.text}` is a field of each row; a figure is about all of them"
            help = f"write an aggregate around it: `{self._aggregated(node, env)}`"
        else:
            message = f"`.{node.text}` is only valid inside a stage"
        self.bag.add("E0308", node.span, message, help=help)

    def _aggregated(self, node: syntax.FieldRef, env: Env) -> str:
        """A figure of the rows out of the expression over one that a field stands in."""
        whole = _value_around(env.figure or node, node) if not env.aggregates else node
        with self.bag.capture():
            of = self.of(whole, replace(env, aggregates=None, figure=None)).type
        text = self._text(whole.span)
        return f"{'mean' if isinstance(required(of), Int | Float) else 'hist'}({text})"

    def unknown_field(self, span: Span, name: str, row: Record) -> None:
        if self.names.told(syntax.Name(text=f".{name}", span=span)):
            return
        names = row.names()
        shown = ", ".join(f".{field}" for field in names[:8]) + (", …" if len(names) > 8 else "")
        help = f"the row has {shown}" if names else "the row has no fields"
        misspelt(
            self.bag, "E0306", span, name, f"the row has no field `{name}`", names, help, dot="."
        )

    def _attr(self, node: syntax.Attr, env: Env) -> Typed:
        of = node.of
        if isinstance(of, syntax.NameRef) and self.is_module(of.text, env):
            decl = self.names.member(env.file, syntax.Name(text=of.text, span=of.span), node.name)
            name = f"{of.text}.{node.name.text}"
            if decl is not None and name in env.locals:  # a flow of a module, in a test
                return Typed(graph.Local(name), env.locals[name], node.span)
            return self.unknown(node) if decl is None else self.declared(decl, node)
        return self.attribute(self.of(of, env), node.name, env, node.span)

    def is_module(self, name: str, env: Env) -> bool:
        return name not in env.locals and self.names.is_module(env.file, name)

    def attribute(
        self, of: Typed, name: syntax.Name, env: Env, span: Span, code: str = "E0306"
    ) -> Typed:
        """``of.name``; a path through an optional is optional."""
        expr = graph.Attr(of.expr, name.text)
        inner = required(of.type)
        match inner:
            case Json():
                return self._seen(Typed(expr, JSON, span), env)
            case Record():
                found = inner.get(name.text)
                if found is not None:
                    type = optional(found) if may_be_null(of.type) else found
                    return self._seen(Typed(expr, type, span), env)
                if inner.open:
                    return Typed(expr, UNKNOWN, span)
                whose = inner.name or "the record"
                if self.names.told(syntax.Name(text=f"{whose}.{name.text}", span=name.span)):
                    return Typed(expr, UNKNOWN, span)
                misspelt(
                    self.bag,
                    code,
                    name.span,
                    name.text,
                    f"{whose} has no field `{name.text}`",
                    inner.names(),
                    f"it has {', '.join(inner.names())}" if inner.fields else None,
                )
            case Unknown():
                pass
            case Never():
                return Typed(expr, inner, span)
            case List():
                help = f"of each element: `map(xs, x -> x.{name.text})`; of one: `first(xs)`"
                message = f"a list has no field `{name.text}`"
                self.bag.add(code, name.span, message, help=self._called(name, of) or help)
            case _:
                message = f"{show_short(inner)} has no field `{name.text}`"
                self.bag.add(code, name.span, message, help=self._called(name, of))
        return Typed(expr, UNKNOWN, span)

    def _called(self, name: syntax.Name, of: Typed) -> str | None:
        """A function that is read like a field."""
        function = name.text if name.text in FUNCTIONS else SYNONYMS.get(name.text)
        path = path_of(of.expr)
        if function is None:
            return None
        value = ".".join(path).replace("..", ".") if path else self.text(of.span)
        return f"it is a function: `{function}({value.removeprefix('param.')})`"

    # -- text ------------------------------------------------------------------------------------

    def _string(self, node: syntax.StringExpr, env: Env) -> Typed:
        self._literal_braces(node, env)
        constant = node.constant
        if constant is not None:
            return Typed(graph.Const(constant), Enum((constant,)), node.span)
        parts = tuple(
            part if isinstance(part, str) else self.placeholder(part, env).expr
            for part in node.parts
        )
        return Typed(graph.Template(parts), STR, node.span)

    def _literal_braces(self, node: syntax.StringExpr, env: Env) -> None:
        """Tell what looks like an expression in a text."""
        if not any(isinstance(part, str) and "{" in part for part in node.parts):
            return
        source = self.names.program.sources[node.span.file]
        declared = [] if env.prompt else self.names.of_kind(env.file, "param")
        bound = env.frame.values if env.frame else {}
        known = Known(
            {*env.locals, *declared, *bound},
            env.row.names() if env.row is not None else (),
            {*FUNCTIONS, *self.names.of_kind(env.file, "function")},
        )
        found = worked_out_elsewhere(self._text(node.span), known)
        report(self.bag, source, node.span.start, found)

    def placeholder(self, node: syntax.Placeholder, env: Env) -> Typed:
        """What a placeholder stands for; it must be there and can be written as text."""
        found = self._rooted(node, env)
        for name in node.path[1:]:
            code = "E0403" if env.prompt else "E0306"
            found = self.attribute(found, name, env, node.span, code)
        if may_be_null(found.type):
            self.may_be_null(replace(found, span=node.span))
        elif holds_secret(found.type):
            message = "a secret cannot be written into a text"
            self.bag.add("E0607", node.span, message, help=KEY_ONLY)
        elif isinstance(required(found.type), Image) and not env.prompt:
            self.bag.add("E0303", node.span, "an image cannot be written into a text")
        return found

    def _rooted(self, node: syntax.Placeholder, env: Env) -> Typed:
        first = node.path[0]
        span = Span(first.span.file, node.span.start, first.span.end)
        if node.of_row:
            return self._field(syntax.FieldRef(text=first.text, span=first.span), env)
        if first.text in env.locals:
            found = Typed(graph.Local(first.text), env.locals[first.text], span)
            return self._seen(found, env)
        if env.prompt is not None:
            self._unknown_placeholder(node, env.prompt)
            return self.unknown(node)
        return self._name(syntax.NameRef(text=first.text, span=first.span), env)

    def _unknown_placeholder(self, node: syntax.Placeholder, prompt: syntax.PromptItem) -> None:
        first = node.path[0]
        candidates = [param.name.text for param in prompt.params]
        written = self._text(node.span)
        near = nearest(first.text, candidates)
        self.bag.add(
            "E0401",
            node.span,
            f"unknown placeholder `{written}` in prompt `{prompt.name.text}`",
            labels=[Label(prompt.name.span, "prompt declared here")],
            help=_placeholder_help(first.text, written, near),
            fixes=[Fix(f"replace with `{near}`", (Edit(first.span, near),))] if near else [],
            suggestions=[near] if near else [],
        )

    # -- conditions and parts -------------------------------------------------------------------

    def _if(self, node: syntax.If, env: Env) -> Typed:
        test, known = self.test(node.test, env, "`if`")
        against = facts_when(test.expr, self.places, False)
        then = self.of(node.then, env.knowing(known))
        otherwise = self.of(node.otherwise, env.knowing(against))
        expr = graph.If(test.expr, then.expr, otherwise.expr)
        return Typed(expr, widen(then.type, otherwise.type), node.span)

    def _index(self, node: syntax.Index, env: Env) -> Typed:
        of = self.of(node.of, env)
        if may_be_null(of.type):
            self.may_be_null(of)
            of = replace(of, type=UNKNOWN)
        if isinstance(node.index, syntax.Binary) and node.index.op == "..":
            at: graph.Expr = self.operators.range(node.index, env, INT, "a part of a list or text")
            part = STR if isinstance(of.type, Enum) else of.type
            expr = graph.Index(of.expr, at)
            return Typed(expr, self._indexable(of, part, STR), node.span)
        wanted = UNKNOWN if isinstance(of.type, Json) else INT
        at = self.expect(node.index, env, wanted, "an index").expr
        of_element = of.type.of if isinstance(of.type, List) else of.type
        return Typed(graph.Index(of.expr, at), self._indexable(of, of_element, STR), node.span)

    def _indexable(self, of: Typed, result: Type, of_text: Type) -> Type:
        match of.type:
            case List() | Json() | Unknown() | Never():
                return result
            case Str() | Enum():
                return of_text
            case Record():
                self.bag.add(
                    "E0303",
                    of.span,
                    "a record is read by its fields, not by an index",
                    help="write `x.name`",
                )
            case _:
                self.bag.add("E0303", of.span, f"{show_short(of.type)} has no elements")
        return UNKNOWN

    # -- lists and records -----------------------------------------------------------------------

    def _list(self, node: syntax.ListExpr, items: Sequence[Typed]) -> Typed:
        expr = graph.ListOf(tuple(item.expr for item in items))
        return Typed(expr, List(_common(item.type for item in items)), node.span)

    def _record(self, node: syntax.RecordExpr, env: Env) -> Typed:
        fields: dict[str, Field] = {}
        entries: list[tuple[str, graph.Expr]] = []
        for entry in node.entries:
            value, name = self.of(entry.value, env), entry.key.text
            if name in fields:
                self.bag.add("E0206", entry.key.span, f"field `{name}` stands here twice")
                continue
            fields[name] = Field(name, value.type)
            entries.append((name, value.expr))
        return Typed(graph.RecordOf(tuple(entries)), Record(tuple(fields.values())), node.span)


_LITERALS = {
    "False": "false",
    "NULL": "null",
    "None": "null",
    "True": "true",
    "nil": "null",
    "undefined": "null",
}
"""How other languages write what is a word here too."""


def _value_around(figure: syntax.Expr, node: syntax.Expr) -> syntax.Expr:
    """The figure that holds a field; of a record of figures, the one among its entries."""
    if isinstance(figure, syntax.RecordExpr):
        for entry in figure.entries:
            if entry.value.span.start <= node.span.start < entry.value.span.end:
                return _value_around(entry.value, node)
    return figure


def _common(types: Iterable[Type]) -> Type:
    found: Type = NEVER
    for type in types:
        found = widen(found, type)
    return found


def _is_plain_record(wanted: Type, found: Type) -> bool:
    """Whether it is enough to say that a record is needed, since what was found is none."""
    return isinstance(wanted, Record) and not wanted.name and not isinstance(found, Record)


def _placeholder_help(name: str, written: str, near: str | None) -> str:
    """What a placeholder that is no parameter may have been meant as."""
    literal = f"write `\\{written}` for a literal brace"
    if name in _CLOSING:
        return "a text has no conditions or loops: choose before it, with `if` in an argument"
    return f"did you mean `{{{near}}}`? {literal}" if near else f"{literal}, or add a parameter"


_CLOSING = frozenset(("else", "end", "endfor", "endif"))
"""Words of templates that look like a placeholder."""


def _conversion(found: Type, wanted: Type, text: str) -> str | None:
    name = {Str: "str", Int: "int", Float: "float", Bool: "bool"}.get(type(wanted))
    scalar = isinstance(found, Str | Enum | Int | Float | Json | Bool)
    match found, wanted:
        case Float(), Int():
            return f"round it: `round({text})`" if wanted == INT else None
        case ((Int() | Float()), (Int() | Float())):
            return None
        case Record(fields=fields), _ if not isinstance(wanted, Record | List):
            named = (field.name for field in fields if fits(field.type, wanted))
            name = next(named, None)
            return f"read one of its fields: `{text}.{name}`" if name else None
        case Enum(values=(value,)), Int() | Float() if value.isdecimal():
            return f"write `{value}`"
        case Str(), Bool():
            return f'compare it: `{text} != ""`'
        case Enum(values), Bool():
            return f"compare it: `{text} == {quote(values[0])}`"
        case ((Int() | Float()), Bool()):
            return f"compare it: `{text} > 0`"
        case _, Record(fields=fields) if fields and not isinstance(found, Record):
            first = required(fields[0].type)
            like = text if fits(found, first) else "…"
            return f"write a record: `{{ {fields[0].name}: {like} }}`"
        case List(), Bool():
            return f"compare it: `len({text}) > 0`"
        case _:
            return f"convert it: `{name}({text})`" if name and scalar else None


def _lambda_help(node: syntax.Expr, text: Callable[[Span], str]) -> str:
    match node:
        case syntax.NameRef(text=name):
            return f"write `x -> {name}(x)`"
        case syntax.FieldRef(text=name):
            return f"write `x -> x.{name}`"
        case _:
            return f"write `x -> {text(node.span)}`" if len(text(node.span)) < 40 else "`x -> …`"
