"""The types of values and rows, and what fits where.

``Unknown`` is the type of an expression that was wrong: it fits everything, so that one mistake
gives one diagnostic. A row is a ``Record``; an *open* one may have fields that are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace


class Type(Struct, frozen=True):
    """A type; compare with ``fits``, not ``==``, which also sees names and descriptions."""


class Unknown(Type, frozen=True):
    """Of an erroneous expression."""


class Never(Type, frozen=True):
    """Of an element of ``[]``: fits everything, nothing fits it."""


class Null(Type, frozen=True):
    """Of ``null``."""


class Str(Type, frozen=True):
    pass


class Bool(Type, frozen=True):
    pass


class Json(Type, frozen=True):
    """Whatever JSON can hold, null included."""


class Image(Type, frozen=True):
    """A picture: a path, bytes or a data URL."""


class Secret(Type, frozen=True):
    """A key; nothing but a ``key:`` takes it."""


class Int(Type, frozen=True):
    """Whole numbers from ``low`` to ``high``, both included; None is no bound."""

    low: int | None = None
    high: int | None = None


class Float(Type, frozen=True):
    """Numbers from ``low`` to ``high``, both included; None is no bound."""

    low: float | None = None
    high: float | None = None


class Enum(Type, frozen=True):
    """One of some texts; a single literal is an enum of one."""

    values: tuple[str, ...]


class List(Type, frozen=True):
    of: Type


class Field(Struct, frozen=True):
    """A field of a record; its description is data: the model reads it."""

    name: str
    type: Type
    description: str | None = None


class Record(Type, frozen=True):
    """Named fields in order; ``name`` is the declared type's, for messages.

    ``open`` rows may hold more than is known (after a mistake); unknown fields of them are not
    reported. ``fields`` is matched by its name, ``Record(fields=fields)``: an ``Again`` has none
    written.
    """

    written: tuple[Field, ...] = msgspec.field(default=(), name="fields")
    name: str | None = None
    open: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.written

    def get(self, name: str) -> Type | None:
        for field in self.fields:
            if field.name == name:
                return field.type
        return None

    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def having(self, name: str, type: Type, description: str | None = None) -> Record:
        """This row with a field added, or replaced where it stands."""
        new = Field(name, type, description)
        if self.get(name) is None:
            return Record((*self.fields, new), open=self.open)
        kept = tuple(new if field.name == name else field for field in self.fields)
        return Record(kept, open=self.open)

    def without(self, names: Iterable[str]) -> Record:
        gone = set(names)
        kept = tuple(field for field in self.fields if field.name not in gone)
        return Record(kept, open=self.open)


class Again(Record, frozen=True):
    """A declared record that contains itself, alone or with others; ``group`` defines them all.

    Inside a definition such a record stands without its group; ``fields`` puts it back. So its
    fields hold it again, and a walk over types has no end unless it knows this class.
    """

    group: tuple[Record, ...] = ()

    @property
    def fields(self) -> tuple[Field, ...]:
        return _fields_again(self)


class Optional(Type, frozen=True):
    """``T?``; never of an ``Optional``, ``Null`` or ``Json``."""

    of: Type


class Union(Type, frozen=True):
    """A union that is no enum: can be compared, rendered and passed on."""

    options: tuple[Type, ...]


class Model(Type, frozen=True):
    """A parameter that takes any answerer or embedder."""


class Prompt(Type, frozen=True):
    """A parameter that takes any prompt."""


class Flow(Type, frozen=True):
    """A parameter that takes a flow whose rows fit ``row``."""

    row: Type


UNKNOWN, NEVER, NULL = Unknown(), Never(), Null()
STR, BOOL, JSON, IMAGE, SECRET = Str(), Bool(), Json(), Image(), Secret()
INT, FLOAT = Int(), Float()
_NO_JSON = (Image, Secret, Model, Prompt, Flow)
OPEN_ROW = Record(open=True)
MESSAGE = Record(
    (Field("role", Enum(("system", "user", "assistant"))), Field("content", STR)), name="Message"
)
SHARE = Float(0.0, 1.0)
MOST_SHOWN = 200
"""Fields of a type behind which no further record of it is written out."""


def optional(of: Type) -> Type:
    """``T?``, or T itself where it already holds null."""
    if isinstance(of, Optional | Null | Json | Unknown):
        return of
    return Optional(of)


def required(of: Type) -> Type:
    """T of ``T?``; every other type is itself."""
    return of.of if isinstance(of, Optional) else of


def mapped(of: Type, change: Callable[[Type], Type]) -> Type:
    """The type with what it is made of changed; of an ``Again`` its definitions."""
    match of:
        case Again(name=name, group=group):
            return Again(name=name, group=tuple(_mapped_fields(one, change) for one in group))
        case Record():
            return _mapped_fields(of, change)
        case List(inner):
            return List(change(inner))
        case Optional(inner):
            return Optional(change(inner))
        case Union(options):
            return Union(tuple(change(option) for option in options))
        case _:
            return of


def _mapped_fields(of: Record, change: Callable[[Type], Type]) -> Record:
    fields = (Field(one.name, change(one.type), one.description) for one in of.fields)
    return replace(of, written=tuple(fields))


def grouped(of: Type, group: tuple[Record, ...]) -> Type:
    """A type out of a definition, with the group in each record that stands without."""
    if isinstance(of, Again):
        return of if of.group else Again(name=of.name, group=group)
    return mapped(of, lambda part: grouped(part, group))


@lru_cache(maxsize=1024)
def _fields_again(of: Again) -> tuple[Field, ...]:
    definition = next((one for one in of.group if one.name == of.name), Record())
    return _mapped_fields(definition, lambda part: grouped(part, of.group)).fields


def parts(of: Type) -> Iterator[Type]:
    """The type and all that it is made of, each record once."""
    seen: set[Type | int] = set()
    waiting = [of]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Record):
            same = part if isinstance(part, Again) else id(part)
            if same in seen:
                continue
            seen.add(same)
        yield part
        match part:
            case List(inner) | Optional(inner):
                waiting.append(inner)
            case Record(fields=fields):
                waiting += [field.type for field in fields]
            case Union(options):
                waiting += options


Sizes: TypeAlias = dict[int, tuple[Type, int]]
"""The sizes of types by their ids, with the types, so that no other takes an id."""


def size(of: Type, known: Sizes) -> int:
    """How many parts a type has with the types in it written out; where it stands again, one."""
    if id(of) not in known:
        match of:
            case Again():
                inner: Iterable[Type] = ()
            case List(part) | Optional(part):
                inner = (part,)
            case Record(fields=fields):
                inner = [field.type for field in fields]
            case Union(options):
                inner = options
            case _:
                inner = ()
        known[id(of)] = of, 1 + sum([size(part, known) for part in inner])
    return known[id(of)][1]


@lru_cache(maxsize=1024)
def ends_within(of: Type, depth: int) -> bool:
    """Whether a value can have ``Again`` records no more than ``depth`` deep in each other."""
    match of:
        case Again(fields=fields):
            return depth > 0 and all(ends_within(field.type, depth - 1) for field in fields)
        case Record(fields=fields):
            return all(ends_within(field.type, depth) for field in fields)
        case Union(options):
            return any(ends_within(option, depth) for option in options)
        case _:
            return True


def plain(of: Type) -> Type:
    """The type without what only its literals say: texts are ``str``, numbers unbounded."""
    return STR if isinstance(of, Enum) else mapped(without_ranges(of), plain)


def without_ranges(of: Type) -> Type:
    """The type with all its numbers unbounded, those in records too."""
    changed: dict[int, Type] = {}  # what stands in it many times is changed once

    def change(part: Type) -> Type:
        match part:
            case Int():
                return INT
            case Float():
                return FLOAT
        if id(part) not in changed:
            changed[id(part)] = mapped(part, change)
        return changed[id(part)]

    return change(of)


KEY_ONLY = 'a secret goes only where a key is needed: `key: secret("LLM_KEY")`'
"""The way out wherever a secret could be read."""


def holds_secret(of: Type) -> bool:
    """Whether a value of the type has a key in it."""
    return any(isinstance(part, Secret) for part in parts(of))


def may_be_null(of: Type) -> bool:
    return isinstance(of, Optional | Null)


Assumed: TypeAlias = frozenset[tuple[Type, Type]]


def fits(actual: Type, expected: Type, assumed: Assumed = frozenset()) -> bool:
    """Whether every value of ``actual`` may stand where ``expected`` is needed.

    ``assumed`` are pairs of records that contain themselves, met on the way: they fit unless
    something else in them does not.
    """
    if actual is expected:
        return True
    match actual, expected:
        case (Unknown() | Never(), _) | (_, Unknown()):
            return True
        case Union(options), _:
            return all(fits(option, expected, assumed) for option in options)
        case Null(), _:
            return isinstance(expected, Null | Optional | Json)
        case Optional(inner), Optional(wanted):
            return fits(inner, wanted, assumed)
        case Optional(inner), Json():
            return fits(inner, expected, assumed)
        case Optional(), _:
            return False
        case _, Optional(wanted):
            return fits(actual, wanted, assumed)
        case _, Union(options):
            return any(fits(actual, option, assumed) for option in options)
        case Enum(values), Enum(allowed):
            return set(values) <= set(allowed)
        case Enum(), Str():
            return True
        case Int(low, high), (Int(lowest, highest) | Float(lowest, highest)):
            return _within(low, high, lowest, highest)
        case Float(low, high), Float(lowest, highest):
            return _within(low, high, lowest, highest)
        case List(of), List(wanted):
            return fits(of, wanted, assumed)
        case Again(), Again():
            pair = (actual, expected)
            return pair in assumed or _fields_fit(actual, expected, assumed | {pair})
        case Record(), Record():
            return _fields_fit(actual, expected, assumed)
        case _, Json():
            return _is_json(actual)
        case _:
            return type(actual) is type(expected)


def hides(actual: Type, expected: Type) -> bool:
    """Whether a value that fits may hold fields of which ``expected`` does not tell.

    ``{}`` tells of none and stands for every record.
    """
    match actual, expected:
        case Optional(inner), _:
            return hides(inner, required(expected))
        case _, Optional(wanted):
            return hides(actual, wanted)
        case List(of), List(wanted):
            return hides(of, wanted)
        case Union(options), _:
            return any(hides(option, expected) for option in options)
        case Record(), Union(options):
            return not any(fits(actual, one) and not hides(actual, one) for one in options)
        case Again(), Again():
            return actual != expected
        case Record(fields=fields), Record() if expected.fields:
            told = {field.name: field.type for field in expected.fields}
            return any(one.name not in told or hides(one.type, told[one.name]) for one in fields)
        case _:
            return False


def _within(
    low: float | None, high: float | None, lowest: float | None, highest: float | None
) -> bool:
    return (lowest is None or (low is not None and low >= lowest)) and (
        highest is None or (high is not None and high <= highest)
    )


def _fields_fit(actual: Record, expected: Record, assumed: Assumed) -> bool:
    return all(_field_fits(actual, field, assumed) for field in expected.fields)


def _field_fits(actual: Record, field: Field, assumed: Assumed) -> bool:
    found = actual.get(field.name)
    if found is None:
        return actual.open or may_be_null(field.type) or isinstance(field.type, Json)
    return fits(found, field.type, assumed)


def _is_json(of: Type) -> bool:
    return not any(isinstance(part, _NO_JSON) for part in parts(of))


def widen(left: Type, right: Type) -> Type:
    """The narrowest type that both fit, as the language has it (language.md, section 4)."""
    if left is right:
        return left
    match left, right:
        case (Unknown() | Never(), other) | (other, Unknown() | Never()):
            return other
        case (Null(), other) | (other, Null()):
            return optional(other)
        case (Optional(one), Optional(two)):
            return optional(widen(one, two))
        case (Optional(one), two) | (two, Optional(one)):
            return optional(widen(one, two))
        case Enum(ones), Enum(twos):
            return Enum((*ones, *(value for value in twos if value not in ones)))
        case Int(low1, high1), Int(low2, high2):
            return Int(_lowest(low1, low2), _highest(high1, high2))
        case ((Int(low1, high1) | Float(low1, high1)), (Int(low2, high2) | Float(low2, high2))):
            return Float(_lowest(low1, low2), _highest(high1, high2))
        case List(one), List(two):
            return List(widen(one, two))
        case Again(), Again():
            pass  # one of them, or both as they are: widening each other they would have no end
        case Record(), Record() if left.names() == right.names():
            fields = (
                Field(a.name, widen(a.type, b.type), a.description)
                for a, b in zip(left.fields, right.fields, strict=True)
            )
            return Record(tuple(fields), left.name if left.name == right.name else None)
        case Record(), Record():
            merged = _merged(left, right)
            if merged is not None:
                return merged
    if fits(left, right):
        return right
    if fits(right, left):
        return left
    return Union((*_options(left), *(o for o in _options(right) if o not in _options(left))))


def _merged(left: Record, right: Record) -> Record | None:
    """All fields of both, where none is of two kinds; one that a side lacks is optional.

    So no value holds a field that its type does not tell.
    """
    ones = {field.name: field.type for field in left.fields}
    twos = {field.name: field.type for field in right.fields}
    if ones and twos and not ones.keys() & twos.keys():
        return None
    fields: list[Field] = []
    for name in {**ones, **twos}:
        one, two = ones.get(name), twos.get(name)
        both = widen(one or NEVER, two or NEVER)
        if isinstance(required(both), Union) and one and two and not _nested(one, two):
            return None
        lacks = (one is None and not left.open) or (two is None and not right.open)
        fields.append(Field(name, optional(both) if lacks else both))
    return Record(tuple(fields), open=left.open or right.open)


def _nested(one: Type, two: Type) -> bool:
    return fits(one, two) or fits(two, one)


def _options(of: Type) -> tuple[Type, ...]:
    return of.options if isinstance(of, Union) else (of,)


def _lowest(one: float | None, two: float | None) -> int | None:
    # bounds of Int are ints and of Float numbers; the caller keeps them apart
    return None if one is None or two is None else min(one, two)  # type: ignore[return-value]


def _highest(one: float | None, two: float | None) -> int | None:
    return None if one is None or two is None else max(one, two)  # type: ignore[return-value]


def union(options: Iterable[Type]) -> Type:
    """The type written ``A | B``; null on one member makes the whole optional."""
    members: list[Type] = []
    nullable = False
    for option in options:
        nullable = nullable or may_be_null(option)
        if not isinstance(option, Null):
            members.append(required(option))
    if members and all(isinstance(member, Enum) for member in members):
        texts = [v for member in members if isinstance(member, Enum) for v in member.values]
        result: Type = Enum(tuple(dict.fromkeys(texts)))
    elif len(members) == 1:
        result = members[0]
    else:
        result = Union(tuple(members))
    return optional(result) if nullable else result


def show(of: Type) -> str:
    """The type as a program writes it; ``?`` where it is not known.

    Where a record stands inside itself its name is written, and of what is far too long to be
    read the names of its records, or ``{ … }``.
    """
    return _Shown().type(of)


class _Shown:
    """One writing of a type: ``inside`` names the records around that contain themselves."""

    def __init__(self) -> None:
        self.inside: list[str | None] = []
        self.fields = 0

    def type(self, of: Type) -> str:
        match of:
            case Int(None, None):
                return "int"
            case Float(None, None):
                return "float"
            case Int(low, None) | Float(low, None):
                return f"{low} or more"
            case Int(None, high) | Float(None, high):
                return f"{high} or less"
            case Int(low, high) | Float(low, high):
                return f"{low}..{high}"
            case Enum(values):
                return " | ".join(quote(value) for value in values)
            case List(inner):
                return f"[{self.type(inner)}]"
            case Again(name=str() as name) if name in self.inside:
                return name
            case Record(name=name) if self.fields > MOST_SHOWN:
                return name or "{ … }"
            case Again(name=name):
                self.inside.append(name)
                shown = self.record(of)
                self.inside.pop()
                return shown
            case Record():
                return self.record(of)
            case Optional(inner):
                return f"{self.type(inner)}?"
            case Union(options):
                return " | ".join(self.type(option) for option in options)
            case Flow(row):
                return f"flow[{self.type(row)}]"
            case Unknown() | Never():
                return "?"
            case _:
                return type(of).__name__.lower()

    def record(self, of: Record) -> str:
        self.fields += len(of.fields)
        shown = [f"{_field_name(field.name)}: {self.type(field.type)}" for field in of.fields]
        shown += ["…"] if of.open else []
        return "{ " + ", ".join(shown) + " }" if shown else "{}"


def show_short(of: Type) -> str:
    """As ``show``, for messages: a declared record has its name, a number alone is itself."""
    match of:
        case Int(low, high) | Float(low, high) if low is not None and low == high:
            return str(low)
        case Record(name=str() as name):
            return name
        case List(inner):
            return f"[{show_short(inner)}]"
        case Optional(Record() as inner):
            return f"{show_short(inner)}?"
        case _:
            return show(of)


def show_found(found: Type, wanted: Type) -> str:
    """What does not fit where ``wanted`` is needed; its ranges only where one is why."""
    plain = without_ranges(found)
    return show_short(found if fits(plain, without_ranges(wanted)) else plain)


def show_wanted(wanted: Type, found: Type) -> str:
    """What is needed; its ranges only where one is why ``found`` does not fit."""
    plain = without_ranges(wanted)
    return show_short(wanted if fits(without_ranges(found), plain) else plain)


def quote(text: str) -> str:
    """A text as a string of the language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\t", "\\t") + '"'


def _field_name(name: str) -> str:
    return name if name.isidentifier() else quote(name)
