"""Prompts: their sections, and how an ``ask`` binds their parameters to a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Edit, Fix, Label
from dpipe.lang.env import Env, Typed
from dpipe.lang.expressions import Expressions
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.schemable import check_result
from dpipe.lang.source import Span
from dpipe.lang.spell import nearest
from dpipe.lang.types import (
    MESSAGE,
    UNKNOWN,
    Field,
    List,
    Model,
    Record,
    Type,
    Unknown,
    fits,
    required,
    show_found,
    show_short,
)
from dpipe.lang.types import Flow as FlowKind
from dpipe.lang.types import Prompt as PromptKind

SECTIONS = ("system", "user", "assistant", "messages", "raw")

Asked = graph.PromptCall | graph.PromptChoice


class Prompts:
    """Works out prompts; ``prompts`` collects those that the program asks."""

    def __init__(self, expressions: Expressions, place: Callable[[Span], graph.Place]) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.bag = expressions.bag
        self.place = place
        self.prompts: dict[str, graph.PromptDef] = {}

    # -- declarations ----------------------------------------------------------------------------

    def declare(self, decl: Decl) -> graph.PromptDef:
        """The prompt; its sections are worked out once."""
        key = self.expressions.calls.key(decl)
        if key not in self.prompts:
            item = decl.item
            assert isinstance(item, syntax.PromptItem)
            params = self._params(decl, item)
            env = Env(decl.file, locals={p.name: p.type for p in params}, prompt=item)
            sections = [self._section(entry, env) for entry in item.entries]
            self._shape(item)
            self._unused(item)
            result = self.expressions.types.of(decl.file, item.result)
            check_result(self.bag, result, item.result.span)
            self.prompts[key] = graph.PromptDef(
                key,
                params,
                result,
                tuple(section for section in sections if section is not None),
                self.place(item.name.span),
            )
        return self.prompts[key]

    def _params(self, decl: Decl, item: syntax.PromptItem) -> tuple[Field, ...]:
        found: dict[str, Field] = {}
        for param in item.params:
            name = param.name.text
            if name in found:
                self.bag.add("E0206", param.name.span, f"parameter `{name}` is declared twice")
                continue
            of = self.expressions.types.of(decl.file, param.type)
            if isinstance(of, Model | PromptKind | FlowKind):
                self.bag.add("E0407", param.type.span, "a prompt's parameters are values")
                of = UNKNOWN
            found[name] = Field(name, of, param.help)
            if param.default is not None:
                self.expressions.expect(param.default, Env(decl.file), of, f"`{name}`")
        return tuple(found.values())

    def _section(self, entry: syntax.Entry, env: Env) -> graph.Section | None:
        role = entry.key.text
        if role not in SECTIONS:
            self._unknown_section(entry, env)
        if role == "messages":
            found = self.expressions.expect(entry.value, env, List(MESSAGE), "`messages:`")
            return graph.Section(role, found.expr)
        if not isinstance(entry.value, syntax.StringExpr):
            if role in SECTIONS and not isinstance(entry.value, syntax.BadExpr):
                self._not_text(entry, env)
            return None
        content = self.expressions.of(entry.value, env).expr
        return graph.Section(role, content) if role in SECTIONS else None

    def _unknown_section(self, entry: syntax.Entry, env: Env) -> None:
        role, span = entry.key.text, entry.key.span
        message = f"unknown prompt section `{role}`"
        if _are_messages(entry.value, env):
            help = f"write `messages: {self.expressions.text(entry.value.span)}`"
            fix = Fix("write `messages`", (Edit(span, "messages"),))
            self.bag.add("E0402", span, message, help=help, fixes=[fix])
            return
        help = "a prompt has `system:`, `user:`, `assistant:`, `messages:` or `raw:`"
        misspelt(self.bag, "E0402", span, role, message, SECTIONS, help)

    def _not_text(self, entry: syntax.Entry, env: Env) -> None:
        value, help = entry.value, None
        if _are_messages(value, env):
            help = f"write `messages: {self.expressions.text(value.span)}`"
        elif isinstance(value, syntax.NameRef) and value.text in env.locals:
            help = f'write `{entry.key.text}: "{{{value.text}}}"`'
        self.bag.add(
            "E0303",
            value.span,
            f"`{entry.key.text}:` needs a text",
            help=help or "build it before with `set` and put it in with a placeholder",
        )

    def _shape(self, item: syntax.PromptItem) -> None:
        """The sections together: something to answer, and nothing beside ``raw:``."""
        roles = [entry.key.text for entry in item.entries]
        if "raw" in roles and len(roles) > 1:
            span = item.entries[roles.index("raw")].key.span
            message = "`raw:` cannot be combined with other sections"
            help = "write all of the request into `raw:`, or this as `user:`"
            self.bag.add("E0410", span, message, help=help)
        known = all(role in SECTIONS for role in roles)
        if known and not {"user", "raw", "messages"} & set(roles):
            message = "a prompt needs a `user:`, `messages:` or `raw:` section"
            self.bag.add("E0411", item.name.span, message, help='add `user: "…"`')

    def _unused(self, item: syntax.PromptItem) -> None:
        """The checker proves that each parameter is used."""
        read = set(_read(item.entries))
        for param in item.params:
            if param.name.text not in read:
                self.bag.add(
                    "W0401",
                    param.name.span,
                    f"parameter `{param.name.text}` is never used in the prompt",
                    help=f"write `{{{param.name.text}}}` where it belongs, or remove it",
                )

    # -- binding to a row ------------------------------------------------------------------------

    def asked(self, node: syntax.Expr, env: Env) -> tuple[Asked | None, Type]:
        """What ``ask`` is given, bound to its row, and the type of one answer."""
        match node:
            case syntax.If():
                return self._choice(node, env)
            case syntax.Call(callee=callee, args=args):
                return self._call(node, callee, args, env)
            case syntax.BadExpr():
                return None, UNKNOWN
            case _:
                return self._call(node, node, (), env)

    def _choice(self, node: syntax.If, env: Env) -> tuple[Asked | None, Type]:
        test, known = self.expressions.test(node.test, env, "`if`")
        then, result = self.asked(node.then, env.knowing(known))
        otherwise, other = self.asked(node.otherwise, env)
        same = fits(result, other) and fits(other, result)
        if then is not None and otherwise is not None and not same:
            self.bag.add(
                "E0303",
                node.otherwise.span,
                f"both prompts must give the same: {show_short(result)} here, "
                f"{show_short(other)} there",
            )
        if then is None or otherwise is None:
            return None, result if then is not None else other
        match test.expr:
            case graph.Binary("==", graph.Const(left), graph.Const(right)):  # what a pipe was given
                return (then, result) if left == right else (otherwise, other)
        return graph.PromptChoice(test.expr, then, otherwise), result

    def _call(
        self, node: syntax.Expr, callee: syntax.Expr, args: Sequence[syntax.Arg], env: Env
    ) -> tuple[Asked | None, Type]:
        decl = self.named(callee, env)
        if decl is None:
            for arg in args:
                self.expressions.of(arg.value, env)
            return None, UNKNOWN
        prompt = self.declare(decl)
        given = self._given(decl, prompt, args, env)
        item = decl.item
        assert isinstance(item, syntax.PromptItem)
        values: list[graph.Expr] = []
        defaults = {param.name.text: param.default for param in item.params}
        for param in prompt.params:
            found = given.get(param.name)
            default = defaults[param.name]
            if found is None and default is not None:
                found = self.expressions.of(default, Env(decl.file))
            elif found is None:
                found = self._from_row(decl, param, node, env)
            values.append(found.expr if found is not None else graph.Const(None))
        key = self.expressions.calls.key(decl)
        return graph.PromptCall(key, tuple(values), 0), prompt.result

    def named(self, node: syntax.Expr, env: Env) -> Decl | None:
        """The prompt that a name names; anything else is reported."""
        match node:
            case syntax.NameRef(text=text) if env.frame and text in env.frame.prompts:
                bound = env.frame.prompts[text]
                return bound if isinstance(bound, Decl) else None
            case syntax.NameRef(text=text):
                decl = self.names.local(env.file, text)
                if decl is None:
                    known = self.names.of_kind(env.file, "prompt")
                    name = syntax.Name(text=text, span=node.span)
                    self.names.unknown("E0404", name, f"no prompt `{text}`", known)
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                env.file, text
            ):
                decl = self.names.member(env.file, syntax.Name(text=text, span=of.span), name)
            case syntax.BadExpr():
                return None
            case _:
                help = "name a declared prompt: `ask(my_prompt, using: …, as: .x)`"
                if isinstance(node, syntax.StringExpr):
                    help = "declare it: `prompt my_prompt(text: str) -> str { user: … }`"
                self.bag.add("E0404", node.span, "`ask` needs a prompt", help=help)
                return None
        if decl is None or isinstance(decl.item, syntax.BadItem):
            return None
        if not isinstance(decl.item, syntax.PromptItem):
            self.bag.add(
                "E0404",
                node.span,
                f"`{decl.name.text}` is a {decl.kind}, not a prompt",
                labels=[Label(decl.name.span, "declared here")],
            )
            return None
        return decl

    def _given(
        self, decl: Decl, prompt: graph.PromptDef, args: Sequence[syntax.Arg], env: Env
    ) -> dict[str, Typed]:
        given: dict[str, Typed] = {}
        types = {param.name: param.type for param in prompt.params}
        waiting = list(types)
        for arg in args:
            name = arg.label.text if arg.label is not None else (waiting or [""])[0]
            if name not in types:
                self._no_parameter(decl, arg, list(types))
                self.expressions.of(arg.value, env)
                continue
            if name in given:
                self.bag.add("E0506", (arg.label or arg).span, f"`{name}:` is given twice")
                continue
            waiting = [other for other in waiting if other != name]
            found = self.expressions.of(arg.value, env)
            self._fitting(decl, name, types[name], found)
            given[name] = found
        return given

    def _no_parameter(self, decl: Decl, arg: syntax.Arg, names: list[str]) -> None:
        prompt = decl.name.text
        labels = [Label(decl.name.span, "prompt declared here")]
        if arg.label is None:
            count = f"{len(names)} argument{'' if len(names) == 1 else 's'}"
            message = f"prompt `{prompt}` takes {count}"
            self.bag.add("E0405", arg.span, message, labels=labels)
            return
        word = arg.label.text
        help = f"it has {', '.join(f'`{name}`' for name in names)}" if names else None
        message = f"prompt `{prompt}` has no parameter `{word}`"
        misspelt(self.bag, "E0405", arg.label.span, word, message, names, help)

    def _fitting(self, decl: Decl, name: str, wanted: Type, found: Typed) -> None:
        if fits(found.type, wanted):
            return
        if not isinstance(required(found.type), Unknown) and not fits(required(found.type), wanted):
            self.bag.add(
                "E0407",
                found.span,
                f"prompt `{decl.name.text}` needs `{name}: {show_short(wanted)}`, found "
                f"{show_found(found.type, wanted)}",
                labels=[Label(decl.name.span, "prompt declared here")],
                help=self.expressions.conversion(found, wanted),
            )
            return
        self.expressions.need(found, wanted, f"prompt `{decl.name.text}`", "E0407")

    def _from_row(self, decl: Decl, param: Field, node: syntax.Expr, env: Env) -> Typed | None:
        """A parameter that no argument gives is the row's field of its name."""
        row = env.row
        assert row is not None
        of = row.get(param.name)
        prompt, shown = decl.name.text, f"`{param.name}: {show_short(param.type)}`"
        labels = [Label(decl.name.span, "prompt declared here")]
        if of is None and row.open:
            return None
        if of is None:
            given = f"{param.name}: {_likely(row, param)}"
            called = isinstance(node, syntax.Call)
            help = f"add `{given}`" if called else f"write `{prompt}({given})`"
            message = f"prompt `{prompt}` needs {shown}, which the row does not have"
            self.bag.add("E0406", node.span, message, labels=labels, help=help)
            return None
        if not fits(of, param.type):
            way_out = "…"
            if fits(required(of), param.type):
                way_out = f".{param.name} ?? …"
            message = f"prompt `{prompt}` needs {shown}, found {show_found(of, param.type)}"
            help = f"give it: `{param.name}: {way_out}`"
            self.bag.add("E0407", node.span, message, labels=labels, help=help)
        return Typed(graph.Field(param.name), of, node.span)


def _likely(row: Record, param: Field) -> str:
    """The field that a parameter could be given: the only one that fits, or nearest in name."""
    fields = [field.name for field in row.fields if fits(field.type, param.type)]
    near = nearest(param.name, fields)
    if near is None and len(fields) == 1:
        near = fields[0]
    return "…" if near is None else f".{near}"


def _are_messages(node: syntax.Expr, env: Env) -> bool:
    """Whether it is a parameter that holds messages."""
    found = env.locals.get(node.text) if isinstance(node, syntax.NameRef) else None
    return found is not None and not isinstance(found, Unknown) and fits(found, List(MESSAGE))


def _read(entries: Sequence[syntax.Entry]) -> list[str]:
    """The parameters that sections read."""
    found: list[str] = []
    for entry in entries:
        if isinstance(entry.value, syntax.NameRef):
            found.append(entry.value.text)
        elif isinstance(entry.value, syntax.StringExpr):
            found += [
                part.path[0].text
                for part in entry.value.parts
                if isinstance(part, syntax.Placeholder)
            ]
        elif not isinstance(entry.value, syntax.BadExpr):
            found += _inside(entry.value)
    return found


def _inside(node: syntax.Expr) -> list[str]:
    """Names anywhere in an expression that should have been a text: they count as used."""
    match node:
        case syntax.NameRef(text=text):
            return [text]
        case syntax.Binary(left=left, right=right):
            return [*_inside(left), *_inside(right)]
        case syntax.Call(args=args):
            return [name for arg in args for name in _inside(arg.value)]
        case syntax.Attr(of=of):
            return _inside(of)
        case _:
            return []
