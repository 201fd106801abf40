"""From written types to types."""

from __future__ import annotations

from dpipe.lang import syntax
from dpipe.lang.circles import circle, trail
from dpipe.lang.diagnostics import Label
from dpipe.lang.names import Decl, Names
from dpipe.lang.types import (
    BOOL,
    FLOAT,
    IMAGE,
    INT,
    JSON,
    MESSAGE,
    SECRET,
    STR,
    UNKNOWN,
    Again,
    Enum,
    Field,
    Float,
    Flow,
    Int,
    List,
    Model,
    Prompt,
    Record,
    Secret,
    Sizes,
    Type,
    ends_within,
    grouped,
    optional,
    size,
    union,
)

LARGEST = 10_000
"""Parts of a type, with the types in it written out; whatever walks a type meets them all."""

SCALARS: dict[str, Type] = {
    "str": STR,
    "int": INT,
    "float": FLOAT,
    "bool": BOOL,
    "json": JSON,
    "image": IMAGE,
    "secret": SECRET,
    "Message": MESSAGE,
}


class Types:
    """Gives the type of each written type; declared ones are worked out once."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.bag = names.bag
        self._known: dict[tuple[str, str], Type] = {}
        self._sizes: Sizes = {}
        self._told_large = False
        self._circle: frozenset[tuple[str, str]] = frozenset()
        self._members: dict[tuple[str, str], Type | None] = {}

    def of(self, file: str, node: syntax.TypeExpr) -> Type:
        match node:
            case syntax.NamedType(path=path):
                return self._named(file, path)
            case syntax.ListType(of=of):
                return List(self.of(file, of))
            case syntax.RecordType(fields=fields):
                return self._record(file, fields)
            case syntax.LiteralType(value=value):
                return Enum((value,))
            case syntax.RangeType():
                return self._range(node)
            case syntax.OptionalType(of=of):
                return optional(self.of(file, of))
            case syntax.UnionType(options=options):
                return union([self.of(file, option) for option in options])
            case syntax.FlowType(row=row):
                return Flow(self.of(file, row))
            case syntax.KindType(kind=kind):
                return Model() if kind == "model" else Prompt()
            case _:
                return UNKNOWN

    def row(self, file: str, node: syntax.TypeExpr) -> Record:
        """The type as a row; one that is no record is reported."""
        found = self.of(file, node)
        if isinstance(found, Record):
            return found
        if found is not UNKNOWN:
            self.bag.add("E0303", node.span, "a row is a record, as `{ text: str }`")
        return Record(open=True)

    def declared(self, decl: Decl) -> Type:
        """The type that a ``type`` declaration names."""
        item = decl.item
        if not isinstance(item, syntax.TypeItem):
            return UNKNOWN
        if decl.key in self._circle:
            return self._member(decl.file, item)
        if decl.key not in self._known:
            items = self._items(decl.file)
            if names := circle(decl.name.text, items):
                self._go_round(decl, {name: items[name] for name in names})
            else:
                self._known[decl.key] = self._plain(decl.file, item)
        return self._known[decl.key]

    def _items(self, file: str) -> dict[str, syntax.TypeItem]:
        return {
            name: decl.item
            for name, decl in self.names.declared[file].items()
            if isinstance(decl.item, syntax.TypeItem)
        }

    def _plain(self, file: str, item: syntax.TypeItem) -> Type:
        found = self.of(file, item.type)
        if size(found, self._sizes) > LARGEST:
            self._too_large(item.name)
            return UNKNOWN
        if isinstance(found, Record) and not isinstance(found, Again):
            return Record(found.fields, item.name.text, found.open)
        return found

    def _too_large(self, name: syntax.Name) -> None:
        """Told once: what is made of a type that is too large would be so again and again."""
        if self._told_large:
            return
        self._told_large = True
        self.bag.add(
            "E0119",
            name.span,
            f"type `{name.text}` is too large: with the types in it written out it has more than "
            f"{LARGEST:,} parts",
            help="name fewer types in it, or one fewer times",
        )

    # -- types that contain themselves -----------------------------------------------------------

    def _go_round(self, decl: Decl, items: dict[str, syntax.TypeItem]) -> None:
        """Work out the types of a circle together; its records are tied by their names."""
        used = decl.key in self.names.used
        around, self._circle = self._circle, frozenset((decl.file, name) for name in items)
        group = tuple(
            Record(self._record(decl.file, item.type.fields).fields, name)
            for name, item in items.items()
            if isinstance(item.type, syntax.RecordType)
        )
        for name, item in items.items():
            self._known[decl.file, name] = grouped(self._member(decl.file, item), group)
        self._circle = around
        if len(items) == 1 and not used:
            self.names.used.discard(decl.key)  # containing itself is no use of it
        self._endless(decl.file, items, len(group))

    def _member(self, file: str, item: syntax.TypeItem) -> Type:
        """A type of the circle as it stands in a definition: of a record only the name."""
        if isinstance(item.type, syntax.RecordType):
            return Again(name=item.name.text)
        key = (file, item.name.text)
        if key not in self._members:
            self._members[key] = None  # met before it is known, it has no shape
            self._members[key] = self.of(file, item.type)
        return self._members[key] or self._shapeless(item)

    def _shapeless(self, item: syntax.TypeItem) -> Type:
        name = item.name.text
        self.bag.add(
            "E0312",
            item.name.span,
            f"type `{name}` contains itself outside a declared record",
            help="give the record that it stands in a name: `type Node = { … }`",
        )
        return UNKNOWN

    def _endless(self, file: str, items: dict[str, syntax.TypeItem], depth: int) -> None:
        """Report a circle of which no value could ever end."""
        endless = {
            name: item
            for name, item in items.items()
            if not ends_within(self._known[file, name], depth)
        }
        if not endless:
            return
        name, item = next(iter(endless.items()))
        way = trail(name, endless)
        self.bag.add(
            "E0312",
            item.name.span,
            f"type `{name}` contains itself without a list"
            + (f": {' -> '.join(way)}" if len(way) > 2 else ""),
            help=f"a value must be able to end: write `[{way[1]}]` or `{way[1]}?`",
        )

    def _named(self, file: str, path: tuple[syntax.Name, ...]) -> Type:
        first, last = path[0], path[-1]
        if len(path) == 2 and self.names.is_module(file, first.text):
            decl = self.names.member(file, first, last)
        elif len(path) == 1:
            decl = self.names.local(file, first.text)
            if first.text in SCALARS and (decl is None or decl.kind != "type"):
                return SCALARS[first.text]
            if decl is None:
                self._unknown(file, first)
        else:
            decl = None
            self._unknown(file, first)
        if decl is None or isinstance(decl.item, syntax.BadItem):
            return UNKNOWN
        if isinstance(decl.item, syntax.TypeItem):
            return self.declared(decl)
        self.bag.add(
            "E0205",
            last.span,
            f"`{last.text}` is a {decl.kind}, not a type",
            labels=[Label(decl.name.span, "declared here")],
        )
        return UNKNOWN

    def _unknown(self, file: str, name: syntax.Name) -> None:
        candidates = [*SCALARS, *self.names.of_kind(file, "type")]
        near = _FOREIGN.get(name.text.lower())
        help = f"text is `{near}` here" if near == "str" else f"write {near}" if near else None
        if near and near.isidentifier() and near != "str":
            help = f"write `{near}`"
        self.names.unknown(
            "E0205", name, f"unknown type `{name.text}`", [] if near else candidates, help
        )

    def _record(self, file: str, fields: tuple[syntax.FieldDecl, ...]) -> Record:
        found: dict[str, Field] = {}
        spans: dict[str, syntax.Name] = {}
        for field in fields:
            name = field.name.text
            if name in found:
                self.bag.add(
                    "E0206",
                    field.name.span,
                    f"field `{name}` is declared twice",
                    labels=[Label(spans[name].span, "first declared here")],
                )
                continue
            spans[name] = field.name
            found[name] = Field(name, self._storable(file, field.type), field.description)
        return Record(tuple(found.values()))

    def _storable(self, file: str, node: syntax.TypeExpr) -> Type:
        """The type of a record's field, which is no secret."""
        found = self.of(file, node)
        if isinstance(found, Secret):
            self.bag.add(
                "E0607",
                node.span,
                "a record cannot hold a secret",
                help='keys come from the environment: `key: secret("LLM_KEY")`',
            )
            return UNKNOWN
        if isinstance(found, Model | Prompt | Flow):
            kind = type(found).__name__.lower()
            message = f"a record cannot hold a {kind}"
            help = "models, prompts and flows are given to the parameters of pipes"
            self.bag.add("E0303", node.span, message, help=help)
            return UNKNOWN
        return found

    def _range(self, node: syntax.RangeType) -> Type:
        low, high = node.low, node.high
        if low > high:
            self.bag.add("E0305", node.span, "empty range", help=f"write `{high}..{low}`")
            return UNKNOWN
        if isinstance(low, int) and isinstance(high, int):
            return Int(low, high)
        return Float(float(low), float(high))


_LIST = "what its elements are in brackets, as `[str]`"
_FIELDS = "its fields, as `{ name: str }`, or `json` for whatever JSON can hold"
_FOREIGN = {
    "any": "json",
    "array": _LIST,
    "boolean": "bool",
    "date": "str",
    "datetime": "str",
    "dict": _FIELDS,
    "double": "float",
    "integer": "int",
    "list": _LIST,
    "map": _FIELDS,
    "number": "float",
    "object": _FIELDS,
    "string": "str",
    "text": "str",
}
"""What the types of other languages are here."""
