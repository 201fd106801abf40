"""The graph: what a program means, with modules, names and pipes gone. The waist of dpipe.

Left of it is text, right of it are rows. ``Graph.nodes`` stand in topological order: the inputs
of a node come before it. All expressions are typed and resolved: ``Field`` reads the stage's
row, ``Local`` a parameter of a prompt or def or a lambda's variable, ``Param`` a setting of the
program. Node indices are places in ``Graph.nodes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from dpipe.lang import types

# -- expressions ---------------------------------------------------------------------------------


class Expr(Struct, frozen=True, tag=True):
    """An expression over one row."""


class Const(Expr, frozen=True):
    value: str | int | float | bool | None


class Field(Expr, frozen=True):
    """``.name`` of the stage's row; an optional field that is absent reads as null."""

    name: str


class Local(Expr, frozen=True):
    """A parameter of the prompt or def around, or the variable of a lambda around."""

    name: str


class Param(Expr, frozen=True):
    """A setting of the root program."""

    name: str


class Attr(Expr, frozen=True):
    """``of.name``; null where ``of`` is null or, being json, has no such field."""

    of: Expr
    name: str


class Index(Expr, frozen=True):
    """``of[at]``; a part of a list or text where ``at`` is a ``Range``."""

    of: Expr
    at: Expr


class Call(Expr, frozen=True):
    """A built-in function; arguments in the order of its parameters, None where left out."""

    function: str
    args: tuple[Expr | None, ...]


class CallDef(Expr, frozen=True):
    """A ``def`` of the program, by its key in ``Graph.defs``; every parameter is given."""

    function: str
    args: tuple[Expr, ...]


class CallPython(Expr, frozen=True):
    """The Python function ``module:name`` behind an ``extern def``.

    What it gives is kept in the journal if ``record``; of a function that is waited for
    ``concurrency`` calls run at once (0: as many as is usual).
    """

    target: str
    args: tuple[Expr, ...]
    result: types.Type
    record: bool = False
    concurrency: int = 0


class Told(Expr, frozen=True):
    """The value without the fields that ``as_type``, which it fits, does not tell."""

    of: Expr
    as_type: types.Type


class Lambda(Expr, frozen=True):
    param: str
    body: Expr


class If(Expr, frozen=True):
    test: Expr
    then: Expr
    otherwise: Expr


class Binary(Expr, frozen=True):
    """``or and == != < <= > >= in ?? + - * / %``; the first two and ``??`` stop early."""

    op: str
    left: Expr
    right: Expr


class Unary(Expr, frozen=True):
    """``not`` and ``-``"""

    op: str
    operand: Expr


class Range(Expr, frozen=True):
    low: Expr
    high: Expr


class ListOf(Expr, frozen=True):
    items: tuple[Expr, ...]


class RecordOf(Expr, frozen=True):
    entries: tuple[tuple[str, Expr], ...]


class Template(Expr, frozen=True):
    """Text with values rendered in: str as it is, numbers shortest, others as JSON."""

    parts: tuple[str | Expr, ...]


class Fail(Expr, frozen=True):
    """In what a test answers: the call ends in this outcome and has no value."""

    outcome: str


# -- what stages are given -----------------------------------------------------------------------


class Fields(Struct, frozen=True, tag=True):
    """Labelled expressions in order, as of ``set``; a bare ``.a`` is ``("a", Field("a"))``."""

    entries: tuple[tuple[str, Expr], ...]


class Figures(Struct, frozen=True, tag=True):
    """Labelled expressions over aggregates, as of ``group``."""

    entries: tuple[tuple[str, Computed], ...]


class Input(Struct, frozen=True, tag=True):
    """The rows of another node, as in ``dedup(against: old)``."""

    node: int


class Method(Struct, frozen=True, tag=True):
    """A way of doing, as of ``by:``: ``minhash(threshold: 0.8)``, ``embedding(m)``."""

    name: str
    args: dict[str, Arg]


class PromptCall(Struct, frozen=True, tag=True):
    """A prompt with every parameter bound to an expression over the row, in their order.

    ``ordinal`` counts the program's stages that ask this prompt, in the program's order.
    With ``over:`` the arguments also see the element, as the ``Local`` that ``each`` names.
    """

    prompt: str
    args: tuple[Expr, ...]
    ordinal: int
    each: str | None = None


class PromptChoice(Struct, frozen=True, tag=True):
    """``if test then p(…) else q(…)``"""

    test: Expr
    then: PromptCall | PromptChoice
    otherwise: PromptCall | PromptChoice


# -- who answers ---------------------------------------------------------------------------------


class One(Struct, frozen=True, tag=True):
    """One model with options over its declared ones; options are constants."""

    model: str
    options: tuple[tuple[str, Expr], ...] = ()


class All(Struct, frozen=True, tag=True):
    members: tuple[Answerer, ...]
    n: Expr
    min: Expr


class Poll(Struct, frozen=True, tag=True):
    """``on`` None with a record result: no winner, only ``votes``."""

    members: tuple[Answerer, ...]
    on: Lambda | None
    n: Expr
    min: Expr
    counted: bool


class Vote(Struct, frozen=True, tag=True):
    """``tie`` is an answerer, "drop" or "null"; ``quorum`` None is more than half."""

    members: tuple[Answerer, ...]
    on: Lambda | None
    n: Expr
    quorum: Expr | None
    weights: Expr | None
    tie: Answerer | str
    lazy: Expr


class VoteNear(Vote, frozen=True, tag=True):
    """A vote by meaning: texts agree whose vectors lie near; ``by`` is ``embedding(…)``."""

    by: Method


class Cascade(Struct, frozen=True, tag=True):
    """``accept`` None accepts any answer; ``last`` is "keep" or "drop"."""

    members: tuple[Answerer, ...]
    accept: Lambda | None
    last: str


class Fallback(Struct, frozen=True, tag=True):
    members: tuple[Answerer, ...]


Answerer: TypeAlias = One | All | Poll | Vote | VoteNear | Cascade | Fallback

Arg: TypeAlias = (
    Expr | Fields | Figures | Input | Method | PromptCall | PromptChoice
    | One | All | Poll | Vote | VoteNear | Cascade | Fallback
)  # fmt: skip


# -- declarations --------------------------------------------------------------------------------


class Place(Struct, frozen=True):
    """Where something stands in the text; 1-based."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ParamDef(Struct, frozen=True):
    """A setting of the root program; without a default it must be given."""

    name: str
    type: types.Type
    default: Expr | None
    help: str | None
    place: Place


class ModelDef(Struct, frozen=True):
    """An endpoint: ``kind`` is openai, embedder, local_embedder or reward.

    ``options`` are constants by their labels (url, key, concurrency, temperature, …); a key
    is a ``Call("secret", …)`` and is read by the models alone.
    """

    name: str
    kind: str
    id: Expr
    options: tuple[tuple[str, Expr], ...]
    place: Place


class Section(Struct, frozen=True):
    """``role`` is system, user, assistant, messages or raw.

    ``content`` is a ``Template``, ``Const`` text, or for messages an expression of ``[Message]``.
    Parts that are images stand in it as ``Local`` expressions of type image or [image].
    """

    role: str
    content: Expr


class PromptDef(Struct, frozen=True):
    """A typed model call, named as the root file would write it.

    Its sections see its parameters as ``Local``s.
    """

    name: str
    params: tuple[types.Field, ...]
    result: types.Type
    sections: tuple[Section, ...]
    place: Place


class Def(Struct, frozen=True):
    """A function of the program; ``body`` sees its parameters as ``Local``s."""

    name: str
    params: tuple[str, ...]
    body: Expr


# -- nodes ---------------------------------------------------------------------------------------


class SourceNode(Struct, frozen=True, tag=True):
    """``target`` is the Python behind it, ``module:function``; ``args`` are constants.

    ``declared`` tells that the program gave the row type, so each row is validated against it.
    """

    name: str
    target: str
    args: dict[str, Expr]
    row: types.Record
    declared: bool
    place: Place


class StageNode(Struct, frozen=True, tag=True):
    """One stage of a flow; ``args`` by the parameter names of the stage table.

    ``rounds``, here and below, are those of the loops around, the outermost first, from 0; only
    an unrolled graph has them.
    """

    flow: str
    stage: str
    input: int
    args: dict[str, Arg]
    row: types.Record
    place: Place
    rounds: tuple[int, ...] = ()


class ConcatNode(Struct, frozen=True, tag=True):
    """The rows of each input, one input after the other."""

    flow: str
    inputs: tuple[int, ...]
    row: types.Record
    place: Place
    rounds: tuple[int, ...] = ()


class CheckNode(Struct, frozen=True, tag=True):
    """A flow whose declared row ``row`` each of its rows must fit; changes nothing."""

    flow: str
    input: int
    row: types.Record
    place: Place
    rounds: tuple[int, ...] = ()


class EntryNode(Struct, frozen=True, tag=True):
    """Where the rows of a round enter a loop's body."""

    flow: str
    row: types.Record
    place: Place


class LoopNode(Struct, frozen=True, tag=True):
    """Rows go through a body again and again; language.md's ``loop``.

    The body are the nodes between ``entry`` (an ``EntryNode``) and ``exit``; nodes that it reads
    and that do not hang on the entry lie outside and are computed once. Before each round rows
    for which ``until`` holds leave; after ``times`` rounds the rest do; with ``keep`` "all" what
    entered each earlier round is emitted too. Rows carry ``round``, from 0.
    """

    flow: str
    input: int
    entry: int
    exit: int
    times: Expr
    until: Expr | None
    keep: str
    row: types.Record
    place: Place


class RoundNode(Struct, frozen=True, tag=True):
    """Where rows enter a round of an unrolled loop, the last of ``rounds``.

    Rows for which ``until`` holds leave the loop; with ``keep`` "all" so does a copy of the rest.
    """

    flow: str
    input: int
    until: Expr | None
    keep: str
    row: types.Record
    place: Place
    rounds: tuple[int, ...]


class LeaveNode(Struct, frozen=True, tag=True):
    """The end of an unrolled loop of ``times`` rounds: all that left it, and the rest."""

    flow: str
    input: int
    times: int
    row: types.Record
    place: Place
    rounds: tuple[int, ...] = ()


class Metric(Struct, frozen=True, tag=True):
    """An aggregate: ``value`` is evaluated per row (None for ``count()``), options are constants.

    ``embedder`` is the model that the call names in ``using:``. What a metric of a program's own
    gives is held to ``result``.
    """

    target: str
    value: Expr | None
    options: tuple[tuple[str, Expr], ...]
    embedder: One | None
    result: types.Type | None = None


class Computed(Struct, frozen=True, tag=True):
    """An expression over aggregates: ``Local("$0")`` … stand for ``metrics[0]`` …"""

    metrics: tuple[Metric, ...]
    value: Expr


class SinkNode(Struct, frozen=True, tag=True):
    """``path`` may hold ``{.field}``s of the row; None for a sink that writes no file.

    ``fields`` are what the writer is given per row (None: the whole row), ``options`` the
    constants of its call, ``metrics`` what ``report`` computes, ``partition`` the fields in the
    path with their types, ``row`` the type of what the writer is given.
    """

    name: str
    input: int
    target: str
    path: Expr | None
    partition: tuple[types.Field, ...]
    fields: tuple[tuple[str, Expr], ...] | None
    options: tuple[tuple[str, Expr], ...]
    metrics: tuple[tuple[str, Computed], ...]
    row: types.Record
    place: Place


Node: TypeAlias = (
    SourceNode | StageNode | ConcatNode | CheckNode | EntryNode | LoopNode | RoundNode | LeaveNode
    | SinkNode
)  # fmt: skip


class Graph(Struct, frozen=True):
    """A whole program. ``sinks`` are indices in the order of their declarations."""

    file: str
    params: tuple[ParamDef, ...]
    models: dict[str, ModelDef]
    prompts: dict[str, PromptDef]
    defs: dict[str, Def]
    nodes: tuple[Node, ...]
    sinks: tuple[int, ...]


# -- tests ---------------------------------------------------------------------------------------


class Rows(Struct, frozen=True):
    """What a test gives in the place of a source: ``value`` is a list of its records."""

    source: int
    value: Expr


class Answers(Struct, frozen=True):
    """What a prompt answers in a test.

    ``each`` are its calls' answers, one a call, where they are ``listed``; else it is one, which
    answers every call. A ``Lambda`` takes the record of the prompt's bound parameters.
    """

    prompt: str
    each: tuple[Expr, ...]
    listed: bool


class Part(Struct, frozen=True):
    """An expression with its text in the program."""

    text: str
    value: Expr


class Expect(Struct, frozen=True):
    """What a test expects to be true, and the parts that tell why it is not, outermost first.

    Flows and sources are ``Local``s by their names: the lists of their rows.
    """

    whole: Part
    parts: tuple[Part, ...]
    place: Place


class TestDef(Struct, frozen=True):
    """A test of the root program, which needs no network.

    ``nodes`` begin with those of the program; behind them are those of flows that no sink needs.
    ``flows`` are the flows and sources that it reads, by name and node.
    """

    __test__ = False  # not one of pytest's, whatever its name

    title: str
    nodes: tuple[Node, ...]
    flows: tuple[tuple[str, int], ...]
    given: tuple[Rows, ...]
    answers: tuple[Answers, ...]
    expects: tuple[Expect, ...]
    place: Place


def inputs_of(node: Node) -> tuple[int, ...]:
    """The nodes whose rows a node reads: the stream that it continues first."""
    match node:
        case SourceNode() | EntryNode():
            return ()
        case LoopNode(input=stream, exit=exit):
            return (stream, exit)
        case ConcatNode(inputs=inputs):
            return inputs
        case StageNode(input=stream, args=args):
            others = tuple(arg.node for arg in args.values() if isinstance(arg, Input))
            return (stream, *others)
        case _:
            return (node.input,)


def needed(nodes: Sequence[Node], end: int) -> set[int]:
    """The nodes whose rows a node needs, itself among them."""
    found: set[int] = set()
    waiting = [end]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += inputs_of(nodes[index])
    return found


def prompts_of(node: Node) -> Iterator[str]:
    """The prompts that a node may ask, by their names."""
    waiting = [node.args.get("prompt")] if isinstance(node, StageNode) else []
    while waiting:
        match waiting.pop():
            case PromptCall(prompt):
                yield prompt
            case PromptChoice(_, then, otherwise):
                waiting += [otherwise, then]


def label_of(node: Node) -> str:
    """What a node is called in the funnel and the record: ``pairs: ask``.

    In a loop the rounds stand behind it, from 1: ``better.rewrite: ask (round 2)``.
    """
    match node:
        case SourceNode() | SinkNode():
            return node.name
        case LoopNode() | EntryNode():
            return f"{node.flow}: loop"
        case ConcatNode():
            name = "concat"
        case CheckNode():
            name = "row"
        case RoundNode() | LeaveNode():
            name = "loop"
        case StageNode():
            name = node.stage
    rounds = ".".join(str(number + 1) for number in node.rounds)
    return f"{node.flow}: {name} (round {rounds})" if rounds else f"{node.flow}: {name}"
