"""Lints of a row's fields: answers that nothing reads, names that change their type."""

from __future__ import annotations

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.lints.demand import calls_of
from dpipe.lang.lints.reading import COUNT, name_of, path_of
from dpipe.lang.lints.subject import Subject
from dpipe.lang.source import Span
from dpipe.lang.types import (
    STR,
    Enum,
    Json,
    List,
    Optional,
    Record,
    Str,
    Type,
    Unknown,
    fits,
    required,
    show_short,
    without_ranges,
)

_CONVERSIONS = frozenset(("str", "int", "float", "bool", "json"))


def unused_fields(subject: Subject) -> None:
    """W0302: what an ``ask`` pays for and nothing reads, at any use of its pipe."""
    demand = subject.demand
    found: dict[Span, tuple[int, set[str]]] = {}
    for at, node in subject.stages("ask"):
        target = subject.arg(at, "as")
        if target is None:
            continue
        unread = _unread(subject, node, {path[0] if path else "" for path in demand.answers[at]})
        first = found.get(target.span, (at, unread))
        found[target.span] = (first[0], first[1] & unread)
    for span, (at, unread) in found.items():
        if unread:
            _tell_unread(subject, at, span, unread)


def _unread(subject: Subject, node: graph.StageNode, read: set[str]) -> set[str]:
    """The fields of the answer that nothing reads; all of them and "" where nothing is read.

    A text before a field that is read is thought that the field is better for.
    """
    record = _record(_result(subject, node))
    fields = record.fields if record is not None else ()
    if not read:
        return {"", *(field.name for field in fields)}
    named = [number for number, field in enumerate(fields) if field.name in read]
    if "" in read or not named or read == {COUNT}:
        return set()
    return {
        field.name
        for number, field in enumerate(fields)
        if field.name not in read
        and not (number < max(named) and isinstance(required(field.type), Str))
    }


def _result(subject: Subject, node: graph.StageNode) -> Type:
    calls = calls_of(node)
    return subject.graph.prompts[calls[0].prompt].result if calls else Unknown()


def _record(of: Type) -> Record | None:
    while isinstance(of, List | Optional):
        of = of.of
    return of if isinstance(of, Record) else None


def _tell_unread(subject: Subject, at: int, span: Span, unread: set[str]) -> None:
    node = subject.nodes[at]
    assert isinstance(node, graph.StageNode)
    target = name_of(node, "as")
    if "" in unread:
        message = f"no stage and no sink reads `.{target}`: the calls are paid for nothing"
        subject.bag.add("W0302", span, message, help="remove the `ask`, or use its answer")
        return
    record = _record(_result(subject, node))
    names = [name for name in (record.names() if record else ()) if name in unread]
    shown = " and ".join(f"`{name}`" for name in names)
    prompt = subject.item_at(subject.graph.prompts[calls_of(node)[0].prompt].place)
    labels = []
    if isinstance(prompt, syntax.PromptItem):
        labels = [Label(prompt.name.span, "asked for here")]
    subject.bag.add(
        "W0302",
        span,
        f"no stage and no sink reads {shown} of `.{target}`",
        labels=labels,
        help=f"leave {shown} out of the prompt's result: each answer costs tokens",
    )


def changed_types(subject: Subject) -> None:
    """W0303: ``set`` gives a field another type; a conversion or a part of itself is meant."""
    for at, node in subject.stages("set"):
        fields = node.args.get("fields")
        assert isinstance(fields, graph.Fields)
        before = subject.row_before(node)
        for name, value in fields.entries:
            was, now = before.get(name), node.row.get(name)
            if was is None or now is None or _alike(was, now) or _of_itself(name, value):
                continue
            subject.bag.add(
                "W0303",
                subject.label(at, name),
                f"`set` turns `.{name}` from {show_short(was)} into {show_short(now)}",
                help="give the new value a name of its own",
            )


def _alike(was: Type, now: Type) -> bool:
    was, now = _plain(was), _plain(now)
    return isinstance(was, Json) or fits(was, now) or fits(now, was)


def _plain(of: Type) -> Type:
    """A type as its values look: an enum is text."""
    of = without_ranges(required(of))
    return STR if isinstance(of, Enum) else of


def _of_itself(name: str, value: graph.Expr) -> bool:
    if isinstance(value, graph.Call) and value.function in _CONVERSIONS:
        value = value.args[0] or value
    path = path_of(value, {})
    return path is not None and path[1] == name
