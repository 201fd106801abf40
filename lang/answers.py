"""Models and who answers: endpoints, copies with options, topologies over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import asdict, replace

from dpipe.lang import graph, syntax
from dpipe.lang.calls import Bound, bind
from dpipe.lang.diagnostics import Bag, Label
from dpipe.lang.env import Env, Written
from dpipe.lang.expressions import Expressions
from dpipe.lang.names import FEW, Decl, misspelt, not_a_choice
from dpipe.lang.phrases import either
from dpipe.lang.signatures import Arrow, Method, Param
from dpipe.lang.source import Span
from dpipe.lang.stages import ANSWERERS, MODELS, OPTIONS
from dpipe.lang.types import (
    BOOL,
    SECRET,
    SHARE,
    STR,
    UNKNOWN,
    Enum,
    Field,
    List,
    Record,
    Secret,
    Type,
    Unknown,
    fits,
    may_be_null,
    optional,
    quote,
)

Place = Callable[[Span], graph.Place]

ONE = graph.Const(1)
NOT = graph.Const(False)
UNBOUND = "?"
_BY = next(param for param in ANSWERERS["vote"].params if param.name == "by")


class Given(Struct, frozen=True):
    """An answerer and what it gives for a prompt; ``listed`` ones stand outside all others.

    An ``unbound`` one is a pipe's parameter while the pipe's definition is checked.
    """

    answerer: graph.Answerer | None
    type: Type
    listed: bool = False
    unbound: bool = False


class Answers:
    """Works out ``model`` declarations and ``using:`` values; ``models`` collects endpoints."""

    def __init__(self, expressions: Expressions, place: Place) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.bag: Bag = expressions.bag
        self.place = place
        self.models: dict[str, graph.ModelDef] = {}
        self._open: list[tuple[str, str]] = []
        self._circular: set[tuple[str, str]] = set()  # models that have been told to be so
        expressions.calls.answers = self

    # -- the ways in -----------------------------------------------------------------------------

    def answerer(self, node: syntax.Expr, env: Env, result: Type) -> Given:
        """Who answers a prompt whose answer is of type ``result``."""
        if isinstance(node, syntax.Call):
            return self._call(node, env, result)
        if (bound := self._parameter(node, env)) is not None:
            return self._argument(bound, env, result)
        decl = self._decl(node, env.file)
        return self._model(decl, node, result) if decl is not None else Given(None, UNKNOWN)

    def embedder(self, node: syntax.Expr, env: Env) -> graph.One | None:
        """The embedder that an argument names; anything else is reported."""
        if (bound := self._parameter(node, env)) is not None:
            return None if bound.node is None else self.embedder(bound.node, bound.env)
        decl = self._decl(node, env.file)
        if decl is None:
            return None
        kind = self._kind(decl)
        if kind is None:
            return None
        if kind not in ("embedder", "local_embedder"):
            message = f"`{decl.name.text}` answers prompts; an embedder is needed here"
            self._wrong_kind(node, decl, message)
            return None
        return graph.One(self._endpoint(decl))

    def method(self, param: Param, node: syntax.Expr, env: Env) -> graph.Method | None:
        """A way of doing that an argument names, as ``embedding(m, threshold: 0.9)``."""
        callee = node.callee if isinstance(node, syntax.Call) else node
        name = callee.text if isinstance(callee, syntax.NameRef) else None
        method = next((method for method in param.methods if method.name == name), None)
        if method is None or not isinstance(node, syntax.Call):
            if not isinstance(node, syntax.BadExpr):
                self._no_method(param, callee.span, name)
            return None
        bound = bind(self.bag, node, f"`{method.name}`", method.params)
        args: dict[str, graph.Arg] = {}
        for option in method.params:
            given = bound.known.get(option.name)
            if given is None and option.required:
                message = f"`{method.name}` needs {option.doc or option.name}"
                self.bag.add("E0507", node.args_span, message)
            elif given is not None and option.kind == "embedder":
                embedder = self.embedder(given.value, env)
                if embedder is not None:
                    args[option.name] = embedder
            elif given is not None:
                what = f"`{option.name}:`"
                found = self.expressions.constant(given.value, env, option.type, what)
                args[option.name] = found.expr
        return graph.Method(method.name, args)

    def _no_method(self, param: Param, span: Span, name: str | None) -> None:
        calls = [f"`{example(method)}`" for method in param.methods]
        message = f"`{param.name}:` takes {either(calls)}"
        names = [method.name for method in param.methods]
        help = f"write {calls[names.index(name)]}" if name in names else None
        misspelt(self.bag, "E0517", span, name or "", message, names, help)

    def named_in(self, node: syntax.Expr, env: Env) -> None:
        """Whatever answerer an argument is, its names are used and known."""
        with self.bag.capture() as found:
            self.answerer(node, env, UNKNOWN)
        self.bag.extend(d for d in found if d.code in ("E0604", "E0201", "E0506"))

    def _parameter(self, node: syntax.Expr, env: Env) -> Written | None:
        """What a pipe's model parameter stands for, if the name is one."""
        if env.frame is None or not isinstance(node, syntax.NameRef):
            return None
        return env.frame.models.get(node.text)

    def _argument(self, bound: Written, env: Env, result: Type) -> Given:
        """The argument of a model parameter, answering about the row of the stage that asks."""
        if bound.node is None:
            return Given(graph.One(UNBOUND), result, unbound=True)
        return self.answerer(bound.node, replace(bound.env, row=env.row), result)

    def declare(self, decl: Decl) -> None:
        """Check a declaration of its own, whether or not it is used."""
        item = decl.item
        assert isinstance(item, syntax.ModelItem)
        if self._endpoint_call(item.value) is not None:
            self._endpoint(decl)
        else:
            self.answerer(item.value, Env(decl.file), UNKNOWN)

    # -- names of models -------------------------------------------------------------------------

    def _decl(self, node: syntax.Expr, file: str) -> Decl | None:
        match node:
            case syntax.NameRef(text=text):
                decl = self.names.local(file, text)
                if decl is None:
                    self._unknown(syntax.Name(text=text, span=node.span), file)
            case syntax.Attr(of=syntax.NameRef(text=text) as of, name=name) if self.names.is_module(
                file, text
            ):
                module = syntax.Name(text=text, span=of.span)
                decl = self.names.member(file, module, name)
            case syntax.Attr(of=syntax.NameRef(text=text) as of):
                name = syntax.Name(text=text, span=of.span)
                self.names.unknown("E0604", name, f"no module `{text}`", [])
                return None
            case syntax.BadExpr():
                return None
            case _:
                self.bag.add("E0604", node.span, "a model is needed here", help=_named(node))
                return None
        if decl is None or isinstance(decl.item, syntax.BadItem):
            return None
        if not isinstance(decl.item, syntax.ModelItem):
            self._wrong_kind(node, decl, f"`{decl.name.text}` is a {decl.kind}, not a model")
            return None
        return decl

    def _unknown(self, name: syntax.Name, file: str) -> None:
        candidates = [*self.names.of_kind(file, "model"), *ANSWERERS]
        if name.text in ANSWERERS:
            message = f"`{name.text}` needs its members: `{name.text}([a, b])`"
            self.bag.add("E0604", name.span, message)
        else:
            known = self.names.of_kind(file, "model")[:FEW]
            listed = ", ".join(f"`{model}`" for model in known if model != name.text)
            help = f"there is {listed}" if listed else "an endpoint is `openai(…)` or `embedder(…)`"
            self.names.unknown("E0604", name, f"unknown model `{name.text}`", candidates, help)

    def _wrong_kind(self, node: syntax.Expr, decl: Decl, message: str) -> None:
        labels = [Label(decl.name.span, "declared here")]
        self.bag.add("E0605", node.span, message, labels=labels)

    # -- declared models -------------------------------------------------------------------------

    def _endpoint_call(self, value: syntax.Expr) -> str | None:
        """The kind of endpoint that a declaration makes, if it makes one."""
        if isinstance(value, syntax.Call) and isinstance(value.callee, syntax.NameRef):
            return value.callee.text if value.callee.text in MODELS else None
        return None

    def _kind(self, decl: Decl) -> str | None:
        """``openai``, ``embedder``, … or ``answerer``; None where the declaration is wrong."""
        item = decl.item
        assert isinstance(item, syntax.ModelItem)
        found = self._endpoint_call(item.value)
        if found is not None:
            return found
        target = item.value.callee if isinstance(item.value, syntax.Call) else item.value
        if isinstance(target, syntax.NameRef) and target.text in ANSWERERS:
            return "answerer"
        if decl.key in self._open:
            return None
        self._open.append(decl.key)
        inner = self._decl(target, decl.file)
        kind = None if inner is None else self._kind(inner)
        self._open.pop()
        return kind

    def _model(self, decl: Decl, node: syntax.Expr, result: Type) -> Given:
        item = decl.item
        assert isinstance(item, syntax.ModelItem)
        if decl.key in self._open:
            self._circle(decl)
            return Given(None, UNKNOWN)
        kind = self._endpoint_call(item.value)
        if kind in ("embedder", "local_embedder"):
            self._wrong_kind(
                node, decl, f"`{decl.name.text}` is an embedder; it answers no prompts"
            )
            return Given(None, UNKNOWN)
        if kind is not None:
            return Given(graph.One(self._endpoint(decl)), result)
        self._open.append(decl.key)
        given = self.answerer(item.value, Env(decl.file), result)
        self._open.pop()
        return given

    def _circle(self, decl: Decl) -> None:
        """Models that are each other's copies are told once, wherever the circle is entered."""
        circle = set(self._open[self._open.index(decl.key) :])
        if not circle & self._circular:
            self.bag.add("E0209", decl.name.span, f"`{decl.name.text}` depends on itself")
        self._circular |= circle

    def _endpoint(self, decl: Decl) -> str:
        """The key of an endpoint in the graph; its declaration is worked out once."""
        key = self.expressions.calls.key(decl)
        if key in self.models:
            return key
        item = decl.item
        assert isinstance(item, syntax.ModelItem)
        call, kind = item.value, self._endpoint_call(item.value)
        assert isinstance(call, syntax.Call)
        assert kind is not None
        bound = bind(self.bag, call, f"`{kind}`", MODELS[kind])
        options = self._options(bound, MODELS[kind], Env(decl.file), call)
        if "embed" in bound.known and "url" in bound.known:
            message = "`embed:` stands in the place of an endpoint: there is no `url:`"
            self.bag.add("E0517", bound.known["url"].value.span, message)
        id = options.pop("id", graph.Const(""))
        self.models[key] = graph.ModelDef(
            decl.name.text, kind, id, tuple(options.items()), self.place(item.span)
        )
        return key

    def _options(
        self, bound: Bound, params: Sequence[Param], env: Env, call: syntax.Call
    ) -> dict[str, graph.Expr]:
        options: dict[str, graph.Expr] = {}
        for param in params:
            arg = bound.known.get(param.name)
            if arg is None and param.required:
                if not bound.wrong:
                    self.bag.add("E0507", call.args_span, f"a model needs its `{param.name}`")
            elif arg is not None:
                options[param.name] = self._option(param, arg.value, env)
        return options

    def _option(self, param: Param, node: syntax.Expr, env: Env) -> graph.Expr:
        if param.name == "key":
            return self._key(node, env)
        if isinstance(param.type, Arrow):
            label, (takes, gives) = f"`{param.name}:`", (param.type.takes, param.type.gives)
            return self.expressions.function(node, env.constant(), takes, gives, label).expr
        found = self.expressions.constant(node, env, param.type, f"`{param.name}:`")
        if param.name == "url":
            self._url(found.expr, found.span)
        return found.expr

    def _key(self, node: syntax.Expr, env: Env) -> graph.Expr:
        found = self.expressions.of(node, env.constant())
        if not isinstance(found.type, Secret | Unknown):
            help = 'put it into the environment and write `secret("LLM_KEY")`'
            if isinstance(found.type, Enum):
                self.bag.add("E0601", found.span, "a key stands in the program", help=help)
            else:
                self.expressions.need(found, SECRET, "`key:`")
        return found.expr

    def _url(self, expr: graph.Expr, span: Span) -> None:
        urls = expr.items if isinstance(expr, graph.ListOf) else (expr,)
        for url in urls:
            if isinstance(url, graph.Const) and isinstance(url.value, str):
                known = ("http://", "https://", "simulated:", "scripted:")
                if not url.value.startswith(known):
                    self.bag.add(
                        "E0609",
                        span,
                        f"`{url.value}` is no URL",
                        help="it begins with `http://` or `https://`, or is `simulated:`",
                    )

    # -- copies and topologies -------------------------------------------------------------------

    def _call(self, node: syntax.Call, env: Env, result: Type) -> Given:
        callee = node.callee
        if isinstance(callee, syntax.NameRef):
            if callee.text in MODELS:
                self.bag.add(
                    "E0604",
                    node.span,
                    "an endpoint is declared before it is used",
                    help=f"write `model name = {callee.text}(…)` and use `name`",
                )
                return Given(None, UNKNOWN)
            if callee.text in ANSWERERS and callee.text not in self.names.declared[env.file]:
                return self._topology(callee.text, node, env, result)
        if (bound_model := self._parameter(callee, env)) is not None:
            given, name = self._argument(bound_model, env, result), "model"
        else:
            decl = self._decl(callee, env.file)
            if decl is None:
                return Given(None, UNKNOWN)
            given, name = self._model(decl, callee, result), decl.name.text
        if not isinstance(given.answerer, graph.One):
            if given.answerer is not None:
                self.bag.add("E0605", node.span, "only a single model takes options")
            return given
        bound = bind(self.bag, node, f"`{name}`", OPTIONS)
        changes = self._options(bound, OPTIONS, env, node)
        options = dict(given.answerer.options) | changes
        return Given(graph.One(given.answerer.model, tuple(options.items())), given.type)

    def _topology(self, name: str, node: syntax.Call, env: Env, result: Type) -> Given:
        params = ANSWERERS[name].params
        if (listed := _unlisted(node)) is not None:
            message, help = f"`{name}` takes its models as a list", f"write `{name}({listed})`"
            self.bag.add("E0507", node.args_span, message, help=help)
            return Given(None, UNKNOWN)
        bound = bind(self.bag, node, f"`{name}`", params)
        members = self._members(name, bound, node, env, result)
        constants = {
            param.name: self.expressions.constant(
                bound.known[param.name].value, env, param.type, f"`{param.name}:`"
            ).expr
            for param in params
            if param.kind == "const" and param.name in bound.known
        }
        n, least = constants.get("n", ONE), constants.get("min", ONE)
        match name:
            case "all":
                return Given(graph.All(members, n, least), List(result), listed=True)
            case "poll":
                on = self._on(bound, env, result)
                counted = on is not None or not isinstance(result, Record | Unknown)
                poll = graph.Poll(members, on, n, least, counted)
                return Given(poll, _poll_type(result, counted), listed=True)
            case "vote":
                return self._vote(members, bound, node, env, result, constants)
            case "cascade":
                accept = self._lambda(bound, "accept", env, result, BOOL)
                return Given(graph.Cascade(members, accept, self._last(bound)), result)
            case _:
                return Given(graph.Fallback(members), result)

    def _members(
        self, name: str, bound: Bound, node: syntax.Call, env: Env, result: Type
    ) -> tuple[graph.Answerer, ...]:
        arg = bound.known.get("members")
        if arg is None or not isinstance(arg.value, syntax.ListExpr) or not arg.value.items:
            if arg is None or not isinstance(arg.value, syntax.BadExpr):
                span = node.args_span if arg is None else arg.span
                self.bag.add(
                    "E0507", span, f"`{name}` needs a list of models", help=f"`{name}([a, b])`"
                )
            return ()
        members: list[graph.Answerer] = []
        for item in arg.value.items:
            member = self._member(item, env, result)
            if member is not None:
                members.append(member)
        if name in ("cascade", "fallback"):
            self._repeated(arg.value.items, members, name)
        return tuple(members)

    def _member(self, node: syntax.Expr, env: Env, result: Type) -> graph.Answerer | None:
        """Who gives one answer, as the members of a topology do, and who decides a tie."""
        given = self.answerer(node, env, result)
        if given.listed:
            message = (
                "`all` and `poll` give more than one answer: they stand outside, not as a member"
            )
            self.bag.add("E0605", node.span, message)
            return None
        if may_be_null(given.type) and not may_be_null(result):
            message = "a member gives an answer; this one may give null"
            help = 'leave out `tie: "null"`: a tie is then no answer'
            self.bag.add("E0605", node.span, message, help=help)
            return None
        return given.answerer

    def _repeated(
        self, items: Sequence[syntax.Expr], members: Sequence[graph.Answerer], name: str
    ) -> None:
        if len(items) != len(members):
            return
        for number, member in enumerate(members):
            if member in members[:number] and member != graph.One(UNBOUND):
                self.bag.add(
                    "E0608",
                    items[number].span,
                    f"this model stands in the {name} already: it would be asked the same again",
                )

    def _vote(
        self,
        members: tuple[graph.Answerer, ...],
        bound: Bound,
        node: syntax.Call,
        env: Env,
        result: Type,
        constants: dict[str, graph.Expr],
    ) -> Given:
        on, near = self._compared(bound, node, env, result)
        n = constants.get("n", ONE)
        self._quorum(bound, members, n, constants)
        tie: graph.Answerer | str = "drop"
        if "tie" in bound.known:
            tie = self._tie(bound.known["tie"].value, env, result)
        quorum, weights = constants.get("quorum"), constants.get("weights")
        vote = graph.Vote(members, on, n, quorum, weights, tie, constants.get("lazy", NOT))
        if near is not None:
            vote = graph.VoteNear(**asdict(vote), by=near)
        return Given(vote, optional(result) if tie == "null" else result)

    def _compared(
        self, bound: Bound, node: syntax.Call, env: Env, result: Type
    ) -> tuple[graph.Lambda | None, graph.Method | None]:
        """What a vote compares, and the embedder by whose vectors, where it is by meaning."""
        by, said = bound.known.get("by"), "on" in bound.known
        on = self._lambda(bound, "on", env, result, UNKNOWN if by is None else STR)
        message, help = "", "write `on: v -> v.label`"
        if by is None and isinstance(result, Record):
            message = "a vote on records needs to know what to compare"
        elif by is not None and not fits(result, STR):
            message, help = "a vote by meaning compares texts", "write `on: v -> v.answer`"
        if message and not said:
            self.bag.add("E0602", node.callee.span, message, help=help)
        if by is None:
            return on, None
        if "lazy" in bound.known:
            message = "`lazy:` does not go with `by:`: every answer is needed to see which lie near"
            self.bag.add("E0517", bound.known["lazy"].span, message)
        return on, self.method(_BY, by.value, env)

    def _quorum(
        self,
        bound: Bound,
        members: Sequence[graph.Answerer],
        n: graph.Expr,
        constants: dict[str, graph.Expr],
    ) -> None:
        quorum, weights = constants.get("quorum"), constants.get("weights")
        if weights is not None and isinstance(weights, graph.ListOf):
            if members and len(weights.items) != len(members):
                self.bag.add(
                    "E0517",
                    bound.known["weights"].value.span,
                    f"{len(weights.items)} weights for {len(members)} models",
                )
            return
        if not isinstance(quorum, graph.Const) or not isinstance(n, graph.Const) or weights:
            return
        assert isinstance(quorum.value, int | float)
        assert isinstance(n.value, int | float)
        if members and quorum.value > len(members) * n.value:
            self.bag.add(
                "E0603",
                bound.known["quorum"].value.span,
                f"`quorum: {quorum.value}` can never be reached with {len(members)} models",
                help=f"write at most `quorum: {len(members) * n.value}`, or ask more models",
            )

    def _tie(self, node: syntax.Expr, env: Env, result: Type) -> graph.Answerer | str:
        if isinstance(node, syntax.StringExpr):
            word = node.constant or ""
            if word not in ("drop", "null"):
                self._bad_choice(node.span, "tie", word, ("drop", "null"))
            return word
        return self._member(node, env, result) or "drop"

    def _last(self, bound: Bound) -> str:
        word, choices = _constant(bound, "last") or "keep", ("keep", "drop")
        if word not in choices:
            self._bad_choice(bound.known["last"].value.span, "last", word, choices)
        return word

    def _bad_choice(self, span: Span, label: str, word: str, choices: Sequence[str]) -> None:
        not_a_choice(self.bag, span, label, quote(word), [quote(choice) for choice in choices])

    # -- what members are asked about their answers ----------------------------------------------

    def _on(self, bound: Bound, env: Env, result: Type) -> graph.Lambda | None:
        return self._lambda(bound, "on", env, result, UNKNOWN)

    def _lambda(
        self, bound: Bound, name: str, env: Env, result: Type, gives: Type
    ) -> graph.Lambda | None:
        """A lambda over the answer; ``.x`` inside it is the row of the stage that asks."""
        arg = bound.known.get(name)
        if arg is None:
            return None
        seen = replace(env, draws=False)
        found = self.expressions.function(arg.value, seen, result, gives, f"`{name}:`")
        return found.expr if isinstance(found.expr, graph.Lambda) else None


def example(method: Method) -> str:
    """What a call of a method looks like."""
    return f"{method.name}({'…' if any(param.required for param in method.params) else ''})"


def _unlisted(node: syntax.Call) -> str | None:
    """The list that several models without a label should be."""
    members = [arg.value for arg in node.args if arg.label is None]
    names = [member.text for member in members if isinstance(member, syntax.NameRef)]
    if not names or len(names) != len(members):
        return None
    more = ", …" if len(node.args) > len(members) else ""
    return f"[{', '.join(names)}]{more}"


def _named(node: syntax.Expr) -> str | None:
    """How what stands in the place of a model would be written."""
    match node:
        case syntax.StringExpr(constant=str() as text) if text.isidentifier():
            return f"name a declared model, without quotes: `{text}`"
        case syntax.StringExpr():
            return "declare it, `model gen = openai(…)`, and write `gen`"
        case syntax.ListExpr():
            return "say what becomes of their answers, as `vote([a, b])` or `all([a, b])`"
        case _:
            return None


def _constant(bound: Bound, name: str) -> str | None:
    arg = bound.known.get(name)
    if arg is None or not isinstance(arg.value, syntax.StringExpr):
        return None
    return arg.value.constant


def _poll_type(result: Type, counted: bool) -> Type:
    vote = Record((Field("model", STR), Field("answer", result)))
    votes = Field("votes", List(vote))
    if not counted:
        return Record((votes,))
    return Record((Field("winner", optional(result)), Field("agreement", SHARE), votes))
