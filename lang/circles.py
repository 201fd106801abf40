"""Declared types that go round: those that mention each other, until one mentions the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dpipe.lang import syntax

TypeItems = Mapping[str, syntax.TypeItem]


def circle(name: str, types: TypeItems) -> tuple[str, ...]:
    """The types of a file that this one reaches and that reach it; none if it never comes back.

    Files do not import each other in a circle, so no circle of types leaves its file.
    """
    ahead = _reached(name, types)
    if name not in ahead:
        return ()
    return tuple(other for other in types if other in ahead and name in _reached(other, types))


def trail(name: str, types: TypeItems) -> tuple[str, ...]:
    """The way from a type round to itself through ``types``, by what each mentions first."""
    way = [name]
    while True:
        ahead = [other for other in mentioned(types[way[-1]].type) if other in types]
        if not ahead or ahead[0] in way:
            return (*way, name)
        way.append(ahead[0])


def _reached(name: str, types: TypeItems) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in mentioned(types[waiting.pop()].type):
            if other in types and other not in found:
                found.add(other)
                waiting.append(other)
    return found


def mentioned(node: syntax.TypeExpr) -> Iterator[str]:
    """The names without a module in a written type, in their order."""
    match node:
        case syntax.NamedType(path=(name,)):
            yield name.text
        case syntax.RecordType(fields=fields):
            for field in fields:
                yield from mentioned(field.type)
        case syntax.ListType(of=of) | syntax.OptionalType(of=of):
            yield from mentioned(of)
        case syntax.UnionType(options=options):
            for option in options:
                yield from mentioned(option)
