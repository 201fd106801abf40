"""Expressions by chance, each meant to fit a type that is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from random import Random

from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    STR,
    Again,
    Bool,
    Enum,
    Field,
    Float,
    Int,
    Json,
    List,
    Null,
    Optional,
    Record,
    Str,
    Type,
    Union,
    fits,
    required,
)

Place = tuple[str, Type]

TEXTS = ("", "a", "b", "12", "-3.5", "two words", "Ünï", '"q"', "{x}", "a\nb", "数据 😀", "true")
NUMBERS = (0, 1, -1, 2, 7, 10**12, -(10**15))
FLOATS = (0.0, 0.5, -2.5, 3.0, 1e300, 1e-9)
VARIABLES = ("x", "y", "text", "a")
"""Some are called as fields and readers are."""


class Sayings:
    """Expressions over the places in scope, the innermost last."""

    def __init__(self, chance: Random, places: list[Place]) -> None:
        self.chance = chance
        self.places = places

    # -- what is in scope ------------------------------------------------------------------------

    def within(self, *places: Place) -> Sayings:
        """With more places, which hide those that are written alike."""
        roots = {text.split(".")[0] for text, _ in places if not text.startswith(".")}
        texts = {text for text, _ in places}
        kept = [
            place
            for place in self.places
            if place[0] not in texts and place[0].split(".")[0] not in roots
        ]
        return Sayings(self.chance, [*kept, *places])

    def reached(self) -> Iterator[Place]:
        """The places and what is in them, three deep."""
        for text, of in self.places:
            yield from _inside(text, of, 3)

    def place(self, wanted: Type) -> str | None:
        """A place that fits, or would if it were not null."""
        found = [at for at in self.reached() if fits(required(at[1]), wanted)]
        if not found:
            return None
        text, of = self.chance.choice(found)
        return text if fits(of, wanted) else f"({text} ?? {self.literal(wanted)})"

    def list(self, depth: int) -> Place:
        """A list, and the type of its elements."""
        found = [at for at in self.reached() if isinstance(at[1], List)]
        if found and self.chance.random() < 0.8:
            text, of = self.chance.choice(found)
            assert isinstance(of, List)
            return text, of.of
        of = self.chance.choice((INT, STR, BOOL, FLOAT))
        return self.of(List(of), depth - 1), of

    # -- values ----------------------------------------------------------------------------------

    def literal(self, of: Type, depth: int = 2) -> str:
        pick = self.chance.choice
        match of:
            case Str():
                return quoted(pick(TEXTS))
            case Enum(values):
                return quoted(pick(values))
            case Int(low, high):
                return str(pick([n for n in NUMBERS if _between(n, low, high)] or [low]))
            case Float(low, high):
                return str(pick([n for n in FLOATS if _between(n, low, high)] or [low]))
            case Bool():
                return pick(("true", "false"))
            case Null():
                return "null"
            case Optional(inner):
                return self.literal(inner, depth) if depth and pick((0, 1)) else "null"
            case List(inner):
                count = pick((0, 1, 2, 3)) if depth > 0 else 0
                return f"[{', '.join(self.literal(inner, depth - 1) for _ in range(count))}]"
            case Record(fields=fields):
                less = depth - 1 if isinstance(of, Again) else depth
                said = (f"{key(f.name)}: {self.literal(f.type, less)}" for f in fields)
                return f"{{ {', '.join(said)} }}"
            case Union(options):
                return self.literal(pick(options), depth)
            case _:
                return pick(("1", '"j"', "[1, 2.5]", '{ k: [1, "2"], n: null }', "null", "true"))

    # -- expressions -----------------------------------------------------------------------------

    def of(self, wanted: Type, depth: int) -> str:
        """An expression that fits ``wanted``."""
        roll = self.chance.random()
        if depth <= 0 or roll < 0.35:
            return (roll < 0.3 and self.place(wanted)) or self.literal(wanted)
        if roll < 0.45:
            return f"({self._branches(wanted, depth)})"
        if roll < 0.5:
            return f"({self.of(Optional(wanted), depth - 1)} ?? {self.of(wanted, depth - 1)})"
        forms = [form for form in self._forms(wanted, depth - 1) if form]
        return self.chance.choice(forms) if forms else self.literal(wanted)

    def any(self, depth: int) -> str:
        found = [of for _, of in self.reached()]
        plain = (STR, INT, FLOAT, BOOL, List(STR), List(INT), Optional(STR), JSON)
        of = self.chance.choice(found) if found and self.chance.random() < 0.4 else None
        return self.of(of or self.chance.choice(plain), depth)

    def _branches(self, wanted: Type, depth: int) -> str:
        test, shown = self.test(depth - 1)
        then = self.within(*shown).of(wanted, depth - 1)
        return f"if {test} then {then} else {self.of(wanted, depth - 1)}"

    def test(self, depth: int) -> tuple[str, list[Place]]:
        """A condition, and the places that it shows to have a narrower type."""
        unsure = [at for at in self.reached() if isinstance(at[1], Optional)]
        if unsure and self.chance.random() < 0.6:
            text, of = self.chance.choice(unsure)
            known = [(text, required(of))]
            roll = self.chance.random()
            if roll < 0.3:
                more = self.within(*known).of(BOOL, depth - 1)
                return f"{text} != null and {more}", known
            if roll < 0.4:
                return f"not ({text} == null)", known
            if roll < 0.5 and isinstance(required(of), Enum | Str):
                members = f"{self.literal(required(of))}, {self.literal(required(of))}"
                return f"{text} in [{members}]", known
            return f"{text} != null", known
        return self.of(BOOL, depth), []

    def _lambda(self, element: Type, gives: Type, depth: int) -> str:
        name = self.chance.choice(VARIABLES)
        return f"{name} -> {self.within((name, element)).of(gives, depth - 1)}"

    def _forms(self, wanted: Type, depth: int) -> list[str]:
        match wanted:
            case Str():
                return self._texts(depth)
            case Int(None, None):
                return self._wholes(depth)
            case Float(None, None):
                return self._numbers(depth)
            case Bool():
                return self._truths(depth)
            case List(inner):
                return self._lists(inner, depth)
            case Optional(Str()):
                return [f'extract({self.of(STR, depth)}, "(b)|a")', self.of(STR, depth)]
            case Optional(inner):
                return [self.of(inner, depth)]
            case Json():
                return [self.any(depth), f"json({self.of(STR, depth)})", f"{self.of(JSON, 0)}"]
            case Record(fields=fields):
                said = (f"{key(f.name)}: {self.of(f.type, depth - 1)}" for f in fields)
                chosen = f"first({self.of(List(wanted), depth)})"
                return [chosen, f"{{ {', '.join(said)} }}"]
            case _:
                some = List(wanted)
                return [f"first({self.of(some, depth)})", f"pick({self.of(some, 0)})"]

    def _texts(self, depth: int) -> list[str]:
        def text() -> str:
            return self.of(STR, depth)

        xs, element = self.list(depth)
        return [
            f"{self.chance.choice(('upper', 'lower', 'trim', 'shout', 'normal_answer'))}({text()})",
            f"({text()} + {text()})",
            f"str({self.of(self.chance.choice((INT, FLOAT, BOOL)), depth)})",
            f'join({self.of(List(STR), depth)}, ", ")',
            f"replace({text()}, {text()}, {text()})",
            f"hash({self.of(JSON, depth)})",
            f"({text()})[{self.of(INT, 0)}]",
            f"({text()})[{self.of(INT, 0)}..{self.of(INT, 0)}]",
            f"max(map({xs}, {self._lambda(element, STR, depth)}))",
            self._template(),
        ]

    def _template(self) -> str:
        shown = [at for at, of in self.reached() if _is_text(of) and _PLAIN.fullmatch(at)]
        parts = [self.chance.choice(("", "a ", "\\n", "\\{", "é"))]
        for at in self.chance.sample(shown, min(2, len(shown))):
            parts += [f"{{{at}}}", self.chance.choice(("", " ", "-"))]
        return f'"{"".join(parts)}"'

    def _wholes(self, depth: int) -> list[str]:
        def whole() -> str:
            return self.of(INT, depth)

        xs, element = self.list(depth)
        return [
            f"({whole()} {self.chance.choice('+-*%')} {whole()})",
            f"len({self.of(STR, depth)})",
            f"len({xs})",
            f"int({self.of(self.chance.choice((STR, FLOAT, INT)), depth)})",
            f"round({self.of(FLOAT, depth)})",
            f"abs({whole()})",
            f"(-{whole()})",
            f"twice(n: {whole()})",
            f"count({xs}, {self._lambda(element, BOOL, depth)})",
            f"sum({xs}, {self._lambda(element, INT, depth)})",
            f"min({self.of(List(INT), depth)})",
            f"({self.of(List(INT), depth)})[{self.of(INT, 0)}]",
            f"sum_of({self.of(NODE, 0)})" if self.place(NODE) else "1",
        ]

    def _numbers(self, depth: int) -> list[str]:
        def number() -> str:
            return self.of(self.chance.choice((INT, FLOAT)), depth)

        xs, element = self.list(depth)
        return [
            f"({number()} {self.chance.choice('+-*/%')} {number()})",
            f"mean({xs}, {self._lambda(element, FLOAT, depth)})",
            f"float({self.of(STR, depth)})",
            f"round({number()}, {self.chance.choice((0, 2, -1, 400))})",
            f"cosine([{number()}, 1], [{number()}, 2.0])",
            f"abs({self.of(FLOAT, depth)})",
            f"max({self.of(List(FLOAT), depth)})",
        ]

    def _truths(self, depth: int) -> list[str]:
        def truth() -> str:
            return self.of(BOOL, depth)

        xs, element = self.list(depth)
        of = self.chance.choice((STR, INT, FLOAT))
        order = self.chance.choice(("<", "<=", ">", ">=", "==", "!="))
        test, shown = self.test(depth - 1)
        return [
            f"({test} and {self.within(*shown).of(BOOL, depth - 1)})",
            f"({truth()} or {truth()})",
            f"(not {truth()})",
            f"({self.of(of, depth)} {order} {self.of(of, depth)})",
            f"({self.any(depth)} == {self.any(depth)})",
            f"({self.of(INT, depth)} in -2..7)",
            f"({self.of(of, depth)} in {self.of(List(of), depth)})",
            f"any({xs}, {self._lambda(element, BOOL, depth)})",
            f"every({xs}, {self._lambda(element, BOOL, depth)})",
            f"contains({self.of(STR, depth)}, {self.of(STR, depth)})",
            f'matches({self.of(STR, depth)}, "^\\\\d+$")',
            f"same_answer({self.of(STR, depth)}, {self.of(INT, depth)})",
            f"bool({self.of(self.chance.choice((STR, INT)), depth)})",
        ]

    def _lists(self, inner: Type, depth: int) -> list[str]:
        def some() -> str:
            return self.of(List(inner), depth)

        xs, element = self.list(depth)
        order = self.chance.choice((STR, INT, FLOAT))
        forms = [
            f"map({xs}, {self._lambda(element, inner, depth)})",
            f"filter({some()}, {self._lambda(inner, BOOL, depth)})",
            f"sort_by({some()}, {self._lambda(inner, order, depth)})",
            f"distinct({some()})",
            f"({some()} + {some()})",
            f"({some()})[{self.of(INT, 0)}..{self.of(INT, 0)}]",
            f"[{self.of(inner, depth)}, {self.of(inner, depth)}]",
        ]
        if isinstance(inner, Str):
            forms += [f"words({self.of(STR, depth)})", f'split_text({self.of(STR, depth)}, " ")']
        return forms


NODE = Again(
    name="Node",
    group=(
        Record(
            (
                Field("v", INT),
                Field("label", Optional(STR)),
                Field("kids", List(Again(name="Node"))),
            ),
            "Node",
        ),
    ),
)
"""What ``type Node`` of the programs is."""


_PLAIN = re.compile(r"\.?\w+(\.\w+)*")


def quoted(text: str) -> str:
    """A text as a string in which no brace is a placeholder."""
    return json.dumps(text, ensure_ascii=False).replace("{", "\\{")


def key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name, ensure_ascii=False)


def _inside(text: str, of: Type, depth: int) -> Iterator[Place]:
    yield text, of
    inner = required(of)
    if isinstance(inner, Record) and depth:
        for field in inner.fields:
            type = field.type
            if isinstance(of, Optional) and not isinstance(type, Optional | Json):
                type = Optional(type)
            yield from _inside(f"{text}.{key(field.name)}", type, depth - 1)


def _is_text(of: Type) -> bool:
    return isinstance(of, Str | Enum | Int | Float | Bool | List | Record)


def _between(n: float, low: float | None, high: float | None) -> bool:
    return (low is None or n >= low) and (high is None or n <= high)
