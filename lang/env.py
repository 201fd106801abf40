"""What an expression may see where it stands, and what tests have shown about it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import graph, syntax
from dpipe.lang.source import Span
from dpipe.lang.types import (
    Enum,
    Field,
    Json,
    List,
    Null,
    Optional,
    Record,
    Type,
    Union,
    Unknown,
    fits,
    may_be_null,
    optional,
    required,
    widen,
)

Path = tuple[str, ...]
"""A place in a value: ``(".", "a", "b")`` is ``.a.b`` of the row, ``("v", "b")`` is ``v.b``;
behind the keyword ``param``, which no variable is called, stands a setting's name."""

Facts = dict[Path, Type]


class Typed(Struct, frozen=True):
    """An expression of the graph with its type and its place in the text."""

    expr: graph.Expr
    type: Type
    span: Span


class Written(Struct, frozen=True):
    """An argument and where it was written; ``node`` is None while a definition is checked."""

    node: syntax.Expr | None
    env: Env


class Frame(Struct):
    """What the parameters and local flows of a pipe stand for, in one use of it."""

    pipe: str
    flows: dict[str, object]
    pending: dict[str, syntax.FlowItem]
    models: dict[str, Written]
    prompts: dict[str, object]
    values: dict[str, Typed]

    def kind(self, name: str) -> str | None:
        """What a name is inside the pipe, if it is the pipe's own."""
        for kind, names in (
            ("flow", self.flows),
            ("flow", self.pending),
            ("model", self.models),
            ("prompt", self.prompts),
        ):
            if name in names:
                return kind
        return None


class Env(Struct, frozen=True):
    """``row`` is None where no row is seen; ``locals`` are parameters and lambda variables.

    ``facts`` are the narrowed types of places. ``draws`` says that ``pick`` may stand here: it is
    worked out for a row. ``prompt`` is the prompt whose section this is.
    ``figure`` is the figure of a report that this belongs to, and ``aggregates`` collects its
    aggregates; while they are there, the row is seen only inside one.
    """

    file: str
    row: Record | None = None
    locals: dict[str, Type] = {}
    facts: Facts = {}
    draws: bool = False
    prompt: syntax.PromptItem | None = None
    aggregates: list[graph.Metric] | None = None
    figure: syntax.Expr | None = None
    frame: Frame | None = None

    def constant(self) -> Env:
        """Where the same names are seen, but no row."""
        return Env(self.file, frame=self.frame)

    def knowing(self, facts: Facts) -> Env:
        return replace(self, facts=_both(self.facts, facts)) if facts else self

    def binding(self, name: str, type: Type) -> Env:
        """With a lambda's variable, which hides what has its name outside."""
        facts = {path: fact for path, fact in self.facts.items() if path[0] != name}
        return replace(self, locals={**self.locals, name: type}, facts=facts)


def path_of(expr: graph.Expr) -> Path | None:
    """The place that an expression reads, if it is a plain path."""
    match expr:
        case graph.Field(name):
            return (".", name)
        case graph.Local(name):
            return (name,)
        case graph.Param(name):
            return ("param", name)
        case graph.Attr(of, name):
            path = path_of(of)
            return None if path is None else (*path, name)
        case _:
            return None


def facts_when(expr: graph.Expr, types: dict[Path, Type], truth: bool) -> Facts:
    """What is known of places where a test came out as ``truth``.

    ``types`` has the type of every place that the test reads.
    """
    match expr:
        case graph.Unary("not", operand):
            return facts_when(operand, types, not truth)
        case graph.Binary("and" | "or" as op, left, right):
            one, two = facts_when(left, types, truth), facts_when(right, types, truth)
            return _both(one, two) if truth == (op == "and") else _either(one, two)
        case graph.Binary("==" | "!=" as op, left, right):
            return _from_equality(left, right, types, truth == (op == "==")) or _from_equality(
                right, left, types, truth == (op == "==")
            )
        case graph.Binary("in", left, graph.ListOf(items)) if truth:
            texts = [item.value for item in items if isinstance(item, graph.Const)]
            if len(texts) == len(items):
                return _among(left, types, texts)
        case graph.Binary("in", left, graph.ListOf(items)):
            return _none_of(left, types, [x.value for x in items if isinstance(x, graph.Const)])
        case graph.Binary("in", left, right) if truth and _without_null(right, types):
            return _present(left, types)
    return {}


def _without_null(right: graph.Expr, types: dict[Path, Type]) -> bool:
    """Whether what ``in`` looks through is known to hold no null."""
    if isinstance(right, graph.Range):
        return True
    path = path_of(right)
    known = types.get(path) if path else None
    return isinstance(known, List) and not isinstance(
        known.of, Optional | Null | Json | Union | Unknown
    )


def _from_equality(
    place: graph.Expr, other: graph.Expr, types: dict[Path, Type], equal: bool
) -> Facts:
    if not isinstance(other, graph.Const):
        return {}
    if other.value is None:
        return {} if equal else _present(place, types)
    if equal:
        return _among(place, types, [other.value])
    return _none_of(place, types, [other.value])


def _both(one: Facts, two: Facts) -> Facts:
    """What is known where both sides hold."""
    facts = {**one, **two}
    for path in one.keys() & two.keys():
        facts[path] = _common(one[path], two[path])
    return facts


def _common(one: Type, two: Type) -> Type:
    """What is both; of two enums that share nothing the second."""
    left, right = required(one), required(two)
    if isinstance(left, Enum) and isinstance(right, Enum):
        values = tuple(value for value in left.values if value in right.values)
        found: Type = Enum(values) if values else right
    else:
        found = left if fits(left, right) else right
    return optional(found) if may_be_null(one) and may_be_null(two) else found


def _either(one: Facts, two: Facts) -> Facts:
    """What is known where one side holds, whichever."""
    return {path: widen(one[path], two[path]) for path in one if path in two}


def _none_of(place: graph.Expr, types: dict[Path, Type], values: Sequence[object]) -> Facts:
    path = path_of(place)
    known = types.get(path) if path else None
    inner = required(known) if known else None
    if not path or not known or not isinstance(inner, Enum):
        return {}
    left = tuple(value for value in inner.values if value not in values)
    if not left:
        return {}
    return {path: optional(Enum(left)) if may_be_null(known) else Enum(left)}


def _present(place: graph.Expr, types: dict[Path, Type]) -> Facts:
    """The place, and each place on the way to it, holds a value."""
    facts: Facts = {}
    path = path_of(place)
    while path and path in types:
        if isinstance(types[path], Optional):
            facts[path] = required(types[path])
        path = path[:-1]
    return facts


def _among(place: graph.Expr, types: dict[Path, Type], values: Sequence[object]) -> Facts:
    if None in values:
        return {}
    facts = _present(place, types)
    path = path_of(place)
    known = required(types[path]) if path and path in types else None
    if path and isinstance(known, Enum):
        left = tuple(value for value in known.values if value in values)
        if left and left != known.values:
            facts[path] = Enum(left)
    return facts


def narrowed(row: Record, facts: Facts) -> Record:
    """The row with what is known of its places written into its types."""
    for path, known in sorted(facts.items(), key=lambda fact: len(fact[0])):
        if path[0] == ".":
            row = _narrow(row, path[1:], known)
    return row


def _narrow(row: Record, path: Path, known: Type) -> Record:
    name, rest = path[0], path[1:]
    fields: list[Field] = []
    for field in row.fields:
        type = field.type
        if field.name == name and not rest:
            type = known
        elif field.name == name and isinstance(type, Record):
            type = _narrow(type, rest, known)
        elif field.name == name and isinstance(type, Optional) and isinstance(type.of, Record):
            type = Optional(_narrow(type.of, rest, known))
        fields.append(Field(field.name, type, field.description))
    return Record(tuple(fields), row.name, row.open)
