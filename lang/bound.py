"""A stage with its arguments bound: what its row rule asks, and what the graph is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.answers import example
from dpipe.lang.calls import FREE, bind
from dpipe.lang.env import Env, Facts, Typed, narrowed
from dpipe.lang.figures import figures_of
from dpipe.lang.names import misspelt, not_a_choice
from dpipe.lang.phrases import either
from dpipe.lang.rows import NOWHERE
from dpipe.lang.signatures import Arrow, Param
from dpipe.lang.stages import Stage
from dpipe.lang.types import (
    KEY_ONLY,
    OPEN_ROW,
    SHARE,
    UNKNOWN,
    List,
    Record,
    Type,
    fits,
    holds_secret,
)

if TYPE_CHECKING:
    from dpipe.lang.flows import Flows


class BoundStage:
    """A stage with its arguments; the ``StageCall`` that its row rule sees."""

    def __init__(self, flows: Flows, spec: Stage, call: syntax.Call, env: Env) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.bag = flows.bag
        self.spec = spec
        self.call = call
        self.env = env
        self.args: dict[str, graph.Arg] = {}
        self.row = env.row or OPEN_ROW
        self._types: dict[str, Type] = {}
        self._texts: dict[str, str] = {}
        self._labelled: dict[str, list[tuple[str, Type]]] = {}
        self._several = False
        self._partial = False  # an argument that names a field is wrong
        self.lost = False  # a flow that it reads is not known
        self._shown: Facts = {}  # what `where` shows to the stages after it
        free = [param for param in spec.params if _free(param)]
        self.bound = bind(flows.bag, call, f"`{spec.name}`", spec.params, free=bool(free))
        self._inside = self._when()
        for param in spec.params:
            self._take(param)

    def resulting_row(self) -> Record:
        row = self.spec.rule(self)
        if self._partial:
            row = Record(row.fields, open=True)
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

    def keys(self, name: str) -> tuple[str, ...]:
        arg = self.bound.known.get(name)
        if arg is None or not isinstance(arg.value, syntax.RecordExpr):
            return ()
        return tuple(entry.key.text for entry in arg.value.entries)

    def gives_several(self) -> bool:
        return self._several

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
        return self.expressions.test(arg.value, self.env, "`when:`")[1]

    def _take(self, param: Param) -> None:
        if _free(param):
            self._take_rest(param)
            return
        arg = self.bound.known.get(param.name)
        if arg is None:
            if param.required:
                self._missing(param)
            return
        env = self.env
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
                self._prompt(param, arg, env)
            case "flow":
                self._flow(param, arg, env)
            case "lambda":
                self._lambda(param, arg, env)
            case "embedder":
                embedder = self.flows.answers.embedder(arg.value, env)
                if embedder is not None:
                    self.args[param.name] = embedder
            case "keys":
                self._keys(param, arg, env)
            case "answerer":
                given = self.flows.answers.answerer(arg.value, env, self.type_of("prompt"))
                self._types[param.name] = UNKNOWN if given.unbound else given.type
                self._several = given.listed
                if given.answerer is not None:
                    self.args[param.name] = given.answerer
            case "method":
                method = self.flows.answers.method(param, arg.value, self.env)
                if method is not None:
                    self.args[param.name] = method

    def _prompt(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        """The prompt; with ``over:`` a lambda of an element that gives it."""
        node, each = arg.value, None
        over = self.bound.known.get("over")
        if over is None and isinstance(node, syntax.Lambda):
            help = "write `ask(e -> my_prompt(text: e), over: .list, …)`"
            message = "a prompt is given an element only with `over:`"
            self.bag.add("E0507", node.param.span, message, help=help)
            return
        if over is not None:
            listed = self.expressions.of(over.value, env).type
            if isinstance(node, syntax.Lambda):
                element = listed.of if isinstance(listed, List) else UNKNOWN
                each, env, node = node.param.text, env.binding(node.param.text, element), node.body
            elif not isinstance(node, syntax.BadExpr):
                help = "write `ask(e -> my_prompt(text: e), over: .list, …)`"
                message = "with `over:` the prompt is given an element"
                self.bag.add("E0307", node.span, message, help=help)
                return
        asked, result = self.flows.prompts.asked(node, env)
        self._types["prompt"] = result
        if asked is not None:
            self.args[param.name] = _over_each(asked, each) if each is not None else asked

    def _flow(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        found = self.flows.head(arg.value, env.constant(), self.spec.name)
        self._types[param.name] = found.row
        if found.node == NOWHERE:
            self.lost = True
        else:
            self.args[param.name] = graph.Input(found.node)

    def _lambda(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        """A lambda over a row of the flow that another argument names."""
        assert isinstance(param.type, Arrow)
        takes = self.type_of(param.over)
        what = f"`{param.name}:`"
        found = self.expressions.function(arg.value, env.constant(), takes, param.type.gives, what)
        self.args[param.name] = found.expr

    def _keys(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        nodes = arg.value.items if isinstance(arg.value, syntax.ListExpr) else (arg.value,)
        entries: list[tuple[str, graph.Expr]] = []
        for node in nodes:
            name = self._bare(param, syntax.Arg(label=arg.label, value=node, span=node.span))
            if name is None:
                continue
            found = self.expressions.of(node, env)
            entries.append((name, found.expr))
            self._labelled.setdefault(param.name, []).append((name, found.type))
        self.args[param.name] = graph.Fields(tuple(entries))

    def _expect(self, param: Param, arg: syntax.Arg, env: Env) -> Typed:
        what = f"`{self.spec.name}`" if arg.label is None else f"`{arg.label.text}:`"
        return self.expressions.expect(arg.value, env, param.type, what)

    def _constant(self, param: Param, arg: syntax.Arg) -> Typed:
        if isinstance(param.type, Record) and isinstance(arg.value, syntax.RecordExpr):
            for entry in arg.value.entries:
                if param.type.get(entry.key.text) is None:
                    self._no_option(param, entry.key, param.type)
        what = f"`{self.spec.name}`" if arg.label is None else f"`{arg.label.text}:`"
        return self.expressions.constant(arg.value, self.env, param.type, what)

    def _no_option(self, param: Param, key: syntax.Name, of: Record) -> None:
        message = f"`{param.name}:` has no `{key.text}`"
        help = f"it has {', '.join(f'`{name}`' for name in of.names())}"
        misspelt(self.bag, "E0517", key.span, key.text, message, of.names(), help)

    def _expression(self, param: Param, arg: syntax.Arg, env: Env) -> None:
        if self.spec.name == "where":
            found, self._shown = self.expressions.test(arg.value, env, "`where`")
        else:
            found = self._expect(param, arg, env)
        self.args[param.name] = found.expr
        self._types[param.name] = found.type

    def _missing(self, param: Param) -> None:
        if self.bound.wrong:
            self._partial = True
            return
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
        methods = [f"`{param.name}: {example(method)}`" for method in param.methods]
        help = f"add {either(methods)}" if methods else None
        if param.kind == "keys" and (bare := self._bare_fields()):
            help = f"write `{param.name}: .{bare[0].text}`"
        self.bag.add("E0507", self.call.callee.span, f"`{name}` needs {label}{doc}", help=help)

    def _bare_fields(self) -> list[syntax.FieldRef]:
        """Fields among the arguments without a label."""
        values = [arg.value for arg in self.call.args if arg.label is None]
        return [value for value in values if isinstance(value, syntax.FieldRef)]

    def _choice(self, param: Param, arg: syntax.Arg) -> None:
        shown = [f'"{choice}"' for choice in param.choices]
        value = arg.value
        word = value.constant if isinstance(value, syntax.StringExpr) else None
        if word is not None and word in param.choices:
            self._texts[param.name] = word
            self.args[param.name] = graph.Const(word)
        elif not isinstance(value, syntax.BadExpr):
            written = f'"{word}"' if word is not None else ""
            not_a_choice(self.bag, value.span, param.name, written, shown)

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

    # -- arguments with any label ----------------------------------------------------------------

    def _take_rest(self, param: Param) -> None:
        if param.kind == "figures":
            keys = () if self.has("by") else tuple(self._bare_fields())  # told as what they are
            rest = [arg for arg in self.bound.rest if arg.value not in keys]
            figures, types = figures_of(self.expressions, rest, self.env)
            self.args[param.name] = graph.Figures(figures)
            self._labelled[param.name] = types
            return
        constant = param.kind == "constants"
        env = self.env.constant() if constant else self.env
        entries: dict[str, tuple[graph.Expr, Type]] = {}
        for arg in self.bound.rest:
            label = arg.label.text if arg.label is not None else self._unlabelled(param, arg)
            if label is None:
                self._partial = True
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
            message = f"`{self.spec.name}` needs arguments"
            help = f"write `{self.spec.name}({_EXAMPLES[param.kind]})`"
            self.bag.add("E0507", self.call.args_span, message, help=help)
        self.args[param.name] = graph.Fields(tuple((k, v[0]) for k, v in entries.items()))
        self._labelled[param.name] = [(name, type) for name, (_, type) in entries.items()]
        if constant and all(fits(of, SHARE) for _, of in entries.values()):
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
        if holds_secret(found.type):
            self.bag.add("E0607", found.span, "a secret cannot be put into a row", help=KEY_ONLY)
            return UNKNOWN
        return found.type

    def _unlabelled(self, param: Param, arg: syntax.Arg) -> str | None:
        """The label of a bare field, where one may stand."""
        value = arg.value
        bare = param.kind in ("names", "fields")
        if isinstance(value, syntax.FieldRef) and bare:
            return value.text
        if isinstance(value, syntax.BadExpr):
            return None
        if param.kind == "names" or (bare and isinstance(value, syntax.NameRef)):
            self._bare(param, arg)
        else:
            label = value.name.text if isinstance(value, syntax.Attr) else "name"
            help = f"write `{self.spec.name}({label}: …)`"
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


_EXAMPLES = {
    "fields": ".a, b: …",
    "labels": "a: …",
    "names": ".a",
    "constants": "train: 0.9, val: 0.1",
}
"""What an argument with any label looks like."""


def _over_each(
    asked: graph.PromptCall | graph.PromptChoice, each: str
) -> graph.PromptCall | graph.PromptChoice:
    if isinstance(asked, graph.PromptCall):
        return replace(asked, each=each)
    then, otherwise = _over_each(asked.then, each), _over_each(asked.otherwise, each)
    return replace(asked, then=then, otherwise=otherwise)


def _free(param: Param) -> bool:
    return param.kind in FREE
