"""What of a prompt's result no schema can say, so that nobody can hold a model to it."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang.diagnostics import Bag
from dpipe.lang.source import Span
from dpipe.lang.types import (
    Again,
    Flow,
    Image,
    Json,
    List,
    Model,
    Optional,
    Prompt,
    Record,
    Secret,
    Type,
    Union,
    show,
)

_UNWRITABLE = (Image, Secret, Model, Prompt, Flow)


def check_result(bag: Bag, result: Type, span: Span) -> None:
    """Report the first part of a result that is no text of JSON, or that is any JSON."""
    places = list(_places(result, ""))
    for place, of in places:
        if isinstance(of, _UNWRITABLE):
            where = f" in `{place}`" if place else ""
            bag.add("E0412", span, f"a model answers with text: it can give no {show(of)}{where}")
            return
    for place, of in places:
        if isinstance(of, Json):
            _loose(bag, place, span)
            return


def _loose(bag: Bag, place: str, span: Span) -> None:
    field = place.rpartition(".")[2]
    by_hand = f", or ask for a text, `{field}: str`, and read it with `json(…)`" if field else ""
    bag.add(
        "W0408",
        span,
        f"`{place}` may be any JSON: the answer has no shape that an endpoint could enforce"
        if place
        else "the answer may be any JSON: it has no shape that an endpoint could enforce",
        help=f"declare its fields, as `{{ name: str }}`{by_hand}",
    )


def _places(of: Type, place: str, inside: tuple[Type, ...] = ()) -> Iterator[tuple[str, Type]]:
    """The parts that are no records or lists, with the places where they stand."""
    match of:
        case Again() if of in inside:
            pass
        case Record(fields=fields):
            for field in fields:
                yield from _places(field.type, f"{place}.{field.name}", (*inside, of))
        case List(inner) | Optional(inner):
            yield from _places(inner, place, inside)
        case Union(options):
            for option in options:
                yield from _places(option, place, inside)
        case _:
            yield place, of
