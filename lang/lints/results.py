"""Lints of what prompts ask for: scores and their reasons."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.lints.subject import Subject
from dpipe.lang.names import Decl
from dpipe.lang.types import Bool, Enum, Float, Int, Str, Type, required

_REASONS = frozenset(
    ("reason", "reasons", "reasoning", "rationale", "explanation", "justification", "analysis",
     "thinking", "thoughts", "thought", "critique", "why")
)  # fmt: skip
_WIDEST = 20


def score_before_reason(subject: Subject) -> None:
    """W0402: models answer in order, so a reason behind the score can only defend it."""
    for fields in _asked_for(subject):
        reasons = [n for n, (field, of) in enumerate(fields) if _is_reason(field, of)]
        if not reasons:
            continue
        early = [n for n, (_, of) in enumerate(fields[: reasons[0]]) if is_score(of)]
        verdicts = [n for n, (_, of) in enumerate(fields) if _is_verdict(of)]
        if not early and verdicts and verdicts[-1] < reasons[0]:
            early = verdicts
        if early:
            score, reason = fields[early[0]][0].name, fields[reasons[0]][0].name
            subject.bag.add(
                "W0402",
                score.span,
                f"`{score.text}` comes before `{reason.text}`, and models answer in order",
                labels=[Label(reason.span, "written when the score is given already")],
                help=f"put `{reason.text}` first, so that the score can follow from it",
            )


def vague_ranges(subject: Subject) -> None:
    """W0403: a scale that is finer than a model can tell apart."""
    for fields in _asked_for(subject):
        for field, of in fields:
            of = required(of)
            if isinstance(of, Int) and is_score(of) and (of.high or 0) - (of.low or 0) > _WIDEST:
                subject.bag.add(
                    "W0403",
                    field.type.span,
                    f"models cannot tell {of.low}..{of.high} apart: such scores are noisy",
                    help="`1..5` or `1..10` is steadier",
                )


def undescribed_scores(subject: Subject) -> None:
    """W0404: a score of which the model is not told what it measures."""
    for fields in _asked_for(subject):
        for field, of in fields:
            if is_score(of) and field.description is None:
                message = f"score `{field.name.text}` has no description"
                help = 'say what it measures: a text behind its type, as `1..5 "how clear"`'
                subject.bag.add("W0404", field.name.span, message, help=help)


def is_score(of: Type) -> bool:
    """Whether a type is a range of numbers."""
    of = required(of)
    return isinstance(of, Int | Float) and of.low is not None and of.high is not None


def _is_verdict(of: Type) -> bool:
    of = required(of)
    return is_score(of) or isinstance(of, Bool) or (isinstance(of, Enum) and len(of.values) > 1)


def _is_reason(field: syntax.FieldDecl, of: Type) -> bool:
    return field.name.text.lower() in _REASONS and isinstance(required(of), Str)


Fields = list[tuple[syntax.FieldDecl, Type]]


def _asked_for(subject: Subject) -> Iterator[Fields]:
    """The written fields of each record that a prompt's result holds, with their types."""
    seen: set[syntax.RecordType] = set()
    for decl in subject.declared(syntax.PromptItem):
        assert isinstance(decl.item, syntax.PromptItem)
        for file, record in records_in(subject, decl.file, decl.item.result):
            if record not in seen:
                seen.add(record)
                types = subject.checked.types
                yield [(field, types.of(file, field.type)) for field in record.fields]


def records_in(
    subject: Subject, file: str, node: syntax.TypeExpr, inside: tuple[Decl, ...] = ()
) -> Iterator[tuple[str, syntax.RecordType]]:
    """The records that a written type holds, and the files that they stand in.

    ``inside`` are the declared types around, which may contain themselves.
    """
    match node:
        case syntax.RecordType(fields=fields):
            yield file, node
            for field in fields:
                yield from records_in(subject, file, field.type, inside)
        case syntax.ListType(of=of) | syntax.OptionalType(of=of):
            yield from records_in(subject, file, of, inside)
        case syntax.UnionType(options=options):
            for option in options:
                yield from records_in(subject, file, option, inside)
        case syntax.NamedType(path=path):
            target: str | None = file
            if len(path) == 2:
                target = subject.program.imports.get((file, path[0].text))
            decl = subject.checked.names.declared.get(target or "", {}).get(path[-1].text)
            if decl is not None and isinstance(decl.item, syntax.TypeItem) and decl not in inside:
                yield from records_in(subject, decl.file, decl.item.type, (*inside, decl))
