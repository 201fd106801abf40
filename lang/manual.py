"""What stages, functions and their like take and give, in words.

The reference pages and ``dpipe explain`` read it; words in brackets before a path are links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.signatures import Arrow, Bindings, Function, Method, Param, show_pattern
from dpipe.lang.stages import ANSWERERS, MODELS, STAGES
from dpipe.lang.types import FLOAT, INT, show
from dpipe.lang.words import WORDS

_OPEN = {  # parameters that gather every other label, or bare fields
    "fields": ("k: e, .a, …", "labels with expressions, or fields"),
    "labels": ("k: e, …", "labels with expressions"),
    "names": (".a, …", "fields"),
    "constants": ("k: c, …", "labels with constants"),
    "figures": ("k: e, …", "labels with expressions over [aggregates](aggregates.md)"),
}
_SLOTS = {
    "field": (".a", "a field of the row"),
    "new": (".x", "a field to write"),
    "keys": (".a", "a field, or a list of them"),
    "flow": ("flow", "a flow or source"),
    "pipe": ("pipe", "a pipe, with its arguments"),
    "answerer": ("who", "a model, or another [answerer](answerers.md)"),
    "answerers": ("[who, …]", "a list of models or answerers"),
    "embedder": ("embedder", "a model that is an `embedder`"),
    "prompt": ("prompt", "a prompt, with its arguments"),
}


def slot(param: Param) -> str:
    """What stands for an argument in a signature."""
    shape = show_pattern(param.type)
    match param.kind:
        case kind if kind in _SLOTS:
            return _SLOTS[kind][0]
        case "choice":
            return " | ".join(f'"{choice}"' for choice in param.choices)
        case "method":
            return " | ".join(f"{method.name}(…)" for method in param.methods)
        case "lambda":
            return f"x -> {_gives(param)}" if param.over else shape
        case _:
            return shape


def _gives(param: Param) -> str:
    return show_pattern(param.type.gives) if isinstance(param.type, Arrow) else "…"


def signature(name: str, params: Iterable[Param]) -> str:
    """``chunk(text: str, tokens: 1 or more = …, as: .x)``"""
    return f"{name}({', '.join(in_signature(param) for param in params)})"


def in_signature(param: Param) -> str:
    """One argument as a signature shows it."""
    if param.kind in _OPEN:
        return _OPEN[param.kind][0]
    return f"{param.name}: {slot(param)}{'' if param.required else ' = …'}"


def label(param: Param) -> str:
    """How an argument is named: with a colon where it needs its label."""
    return "…" if param.kind in _OPEN else param.name + ("" if param.positional else ":")


def takes(param: Param) -> str:
    """What an argument may be, in words."""
    match param.kind:
        case kind if kind in _OPEN:
            return _OPEN[kind][1]
        case kind if kind in _SLOTS:
            return _SLOTS[kind][1]
        case "const":
            return f"constant `{slot(param)}`"
        case "choice":
            return " or ".join(f'`"{choice}"`' for choice in param.choices)
        case "method":
            return "one of the ways below"
        case "lambda" if param.over:
            return f"`{slot(param)}`, x a row of `{param.over}`"
        case _:
            return f"`{slot(param)}`"


def result(function: Function) -> str:
    """What a function gives; where that hangs on its arguments, all that it may be."""
    if not callable(function.result):
        return show_pattern(function.result)
    whole: Bindings = {"T": INT, "U": INT}
    broken: Bindings = {"T": FLOAT, "U": FLOAT, "D": INT}
    found = {show(function.result(bindings)) for bindings in (whole, broken)}
    return " | ".join(sorted(found, reverse=True))


class Extern(Struct, frozen=True):
    """A declaration of builtins.dpipe with the comment above it."""

    kind: str
    name: str
    signature: str
    doc: str


_EXTERN = re.compile(
    r"^(?P<doc>(?:# [^\n]*\n)+)extern (?P<kind>\w+) (?P<name>\w+)(?P<rest>.*?)\s+= python\(",
    re.MULTILINE | re.DOTALL,
)


def externs(builtins: str) -> Iterator[Extern]:
    """The declarations of a text like builtins.dpipe."""
    for found in _EXTERN.finditer(builtins):
        doc = " ".join(line.removeprefix("# ") for line in found["doc"].splitlines())
        yield Extern(found["kind"], found["name"], found["name"] + found["rest"], doc)


# -- entries -------------------------------------------------------------------------------------


class Entry(Struct, frozen=True):
    """What the manual says of one name; ``gives`` is what a call of it comes to."""

    kind: str
    name: str
    signature: str
    doc: str
    gives: str = ""
    params: tuple[Param, ...] = ()
    methods: tuple[Method, ...] = ()


_ZIP = Entry(
    "function",
    "zip",
    "zip(a: xs, b: ys, …) -> [{ a: …, b: … }]",
    "Gives records of the elements in the same place; the lists are equally long.",
)


def entries(builtins: str) -> Iterator[Entry]:
    """Everything that is built in; ``builtins`` is the text of builtins.dpipe."""
    for stage in STAGES.values():
        methods = tuple(method for param in stage.params for method in param.methods)
        shown, gives = signature(stage.name, stage.params), f"The row after it: {stage.row}"
        yield Entry("stage", stage.name, shown, stage.doc, gives, stage.params, methods)
    for answerer in ANSWERERS.values():
        shown = signature(answerer.name, answerer.params)
        yield Entry("answerer", answerer.name, shown, answerer.doc, params=answerer.params)
    for name, params in MODELS.items():
        doc = "An endpoint that a `model` declares."
        yield Entry("model", name, signature(name, params), doc, params=params)
    for function in FUNCTIONS.values():
        shown = f"{function} -> {result(function)}"
        doc = f"Gives {function.doc}."
        yield Entry("function", function.name, shown, doc, params=function.params)
    yield _ZIP
    for word in WORDS:
        doc = f"{word.doc} The whole rule is `{word.rule}` in SPEC.md."
        yield Entry(word.kind, word.name, word.form, doc)
    for extern in externs(builtins):
        yield Entry(_KINDS[extern.kind], extern.name, extern.signature, extern.doc)


_KINDS = {"source": "reader", "sink": "writer", "metric": "aggregate"}
