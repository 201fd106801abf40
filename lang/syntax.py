"""The syntax tree: what a file says, with the place of every part; nothing is resolved yet.

Every node is frozen and carries ``span``. ``Bad…`` nodes stand where the text did not parse;
whatever meets one stays quiet.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from dpipe.lang.source import Span


class Node(Struct, frozen=True, kw_only=True):
    span: Span


class Name(Node, frozen=True):
    """An identifier or a quoted column, where it stands; ``text`` is in NFC, without quotes."""

    text: str


# -- expressions ---------------------------------------------------------------------------------


class NameRef(Node, frozen=True):
    """``x``: something declared, built in, or bound by a lambda."""

    text: str


class FieldRef(Node, frozen=True):
    """``.x``: a field of the row."""

    text: str


class Attr(Node, frozen=True):
    of: Expr
    name: Name


class Arg(Node, frozen=True):
    """A positional argument (no label) or ``label: value``."""

    label: Name | None
    value: Expr


class Call(Node, frozen=True):
    callee: Expr
    args: tuple[Arg, ...]
    args_span: Span  # from `(` to `)`


class Index(Node, frozen=True):
    """``xs[i]``; a part of a list is ``xs[a..b]``, an index that is a range."""

    of: Expr
    index: Expr


class Binary(Node, frozen=True):
    """``or and == != < <= > >= in .. ?? + - * / %``"""

    op: str
    left: Expr
    right: Expr
    op_span: Span


class Unary(Node, frozen=True):
    """``not x`` and ``-x``"""

    op: str
    operand: Expr


class If(Node, frozen=True):
    test: Expr
    then: Expr
    otherwise: Expr


class Lambda(Node, frozen=True):
    param: Name
    body: Expr


class ListExpr(Node, frozen=True):
    items: tuple[Expr, ...]


class Entry(Node, frozen=True):
    """``key: value`` in a record, a prompt or a test."""

    key: Name
    value: Expr


class RecordExpr(Node, frozen=True):
    entries: tuple[Entry, ...]


class Literal(Node, frozen=True):
    """A number, ``true``, ``false`` or ``null``."""

    value: int | float | bool | None


class Placeholder(Node, frozen=True):
    """``{name.field}`` or ``{.field}`` (``of_row``) inside a string."""

    path: tuple[Name, ...]
    of_row: bool


class StringExpr(Node, frozen=True):
    """A string: literal parts (escapes decoded, indentation removed) and placeholders, in order.

    No two literal parts stand next to each other; the empty string has no parts.
    """

    parts: tuple[str | Placeholder, ...]

    @property
    def constant(self) -> str | None:
        """The text, if there is no placeholder in it."""
        if not self.parts:
            return ""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, str) else None


class BadExpr(Node, frozen=True):
    """Where an expression should stand and none could be read."""


Expr: TypeAlias = (
    NameRef | FieldRef | Attr | Call | Index | Binary | Unary | If | Lambda | ListExpr
    | RecordExpr | Literal | StringExpr | BadExpr
)  # fmt: skip


# -- types ---------------------------------------------------------------------------------------


class NamedType(Node, frozen=True):
    """``str``, ``QA`` or ``m.QA``"""

    path: tuple[Name, ...]


class ListType(Node, frozen=True):
    of: TypeExpr


class FieldDecl(Node, frozen=True):
    name: Name
    type: TypeExpr
    description: str | None


class RecordType(Node, frozen=True):
    fields: tuple[FieldDecl, ...]


class LiteralType(Node, frozen=True):
    value: str


class RangeType(Node, frozen=True):
    low: int | float
    high: int | float


class OptionalType(Node, frozen=True):
    of: TypeExpr


class UnionType(Node, frozen=True):
    options: tuple[TypeExpr, ...]


class FlowType(Node, frozen=True):
    """``flow[T]``, for parameters."""

    row: TypeExpr


class KindType(Node, frozen=True):
    """``model`` or ``prompt``, for parameters."""

    kind: str


class BadType(Node, frozen=True):
    """Where a type should stand and none could be read."""


TypeExpr: TypeAlias = (
    NamedType | ListType | RecordType | LiteralType | RangeType | OptionalType | UnionType
    | FlowType | KindType | BadType
)  # fmt: skip


# -- flows and declarations ----------------------------------------------------------------------


class Stage(Node, frozen=True):
    """``| call``; the call of a well-formed stage is a name, a path or a call."""

    call: Expr
    pipe: Span


class FlowExpr(Node, frozen=True):
    head: Expr
    stages: tuple[Stage, ...]


class ParamDecl(Node, frozen=True):
    name: Name
    type: TypeExpr
    default: Expr | None
    help: str | None


class Import(Node, frozen=True):
    """``import std.text``, or a quoted ``path`` with its alias.

    ``dotted`` is empty for a quoted path. The module's name in the file is ``name``.
    """

    dotted: tuple[Name, ...]
    path: str | None
    path_span: Span
    name: Name


class ParamItem(Node, frozen=True):
    name: Name
    type: TypeExpr
    default: Expr | None
    help: str | None


class ModelItem(Node, frozen=True):
    name: Name
    value: Expr


class TypeItem(Node, frozen=True):
    name: Name
    type: TypeExpr


class PromptItem(Node, frozen=True):
    name: Name
    params: tuple[ParamDecl, ...]
    result: TypeExpr
    entries: tuple[Entry, ...]


class SourceItem(Node, frozen=True):
    name: Name
    row: TypeExpr | None
    value: Expr


class FlowItem(Node, frozen=True):
    name: Name
    row: TypeExpr | None
    value: FlowExpr


class SinkItem(Node, frozen=True):
    name: Name
    value: FlowExpr


class PipeItem(Node, frozen=True):
    name: Name
    params: tuple[ParamDecl, ...]
    flows: tuple[FlowItem, ...]
    result: FlowExpr


class DefItem(Node, frozen=True):
    name: Name
    params: tuple[ParamDecl, ...]
    result: TypeExpr
    body: Expr


class ExternItem(Node, frozen=True):
    """``kind`` is def, pipe, source, sink or metric; ``value`` is the ``python(…)`` call."""

    kind: str
    name: Name
    params: tuple[ParamDecl, ...]
    result: TypeExpr | None
    value: Expr


class TestItem(Node, frozen=True):
    title: Name
    entries: tuple[Entry, ...]


class BadItem(Node, frozen=True):
    """A declaration that did not parse; what could be saved of it still declares its name."""

    kind: str | None
    name: Name | None


Item: TypeAlias = (
    Import | ParamItem | ModelItem | TypeItem | PromptItem | SourceItem | FlowItem | SinkItem
    | PipeItem | DefItem | ExternItem | TestItem | BadItem
)  # fmt: skip


KEYWORDS: dict[type[Node], str] = {
    ParamItem: "param",
    ModelItem: "model",
    TypeItem: "type",
    PromptItem: "prompt",
    SourceItem: "source",
    FlowItem: "flow",
    SinkItem: "sink",
    PipeItem: "pipe",
    DefItem: "def",
}
"""The word that each declaration begins with."""


class Module(Node, frozen=True):
    """One file. ``edition`` is None where the ``dpipe N`` line is missing or bad."""

    file: str
    edition: int | None
    items: tuple[Item, ...]
