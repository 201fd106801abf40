"""``chunk``: a row for each piece of a text."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.chunking import UNITS, Size, Starts, sections_of, spans
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.places import folder_of
from dpipe.runtime.python import load
from dpipe.runtime.sections import Outline, Span, sections
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row, Values

TOKENS = 800
"""How large a piece is where the program does not say."""

Cut = Callable[[str], list[Span]]


class Names(Struct, frozen=True):
    """The fields that are written; empty where they are not wanted."""

    piece: str
    index: str
    headings: str
    span: str


class Chunk(RowStep):
    reason = "empty"

    def __init__(self, context: StageContext, text: OverRow, cut: Cut, names: Names) -> None:
        super().__init__(context)
        self._text = text
        self._cut = cut
        self._names = names

    def take(self, row: Row) -> list[Row]:
        text = self._text(row)
        outline = Outline(text) if self._names.headings else None
        return [
            row.child({**row.values, **self._written(text, piece, at, outline)}, at)
            for at, piece in enumerate(self._cut(text))
        ]

    def _written(self, text: str, piece: Span, at: int, outline: Outline | None) -> Values:
        names = self._names
        values: Values = {names.piece: text[piece.start : piece.end]}
        if names.index:
            values[names.index] = at
        if outline is not None:
            values[names.headings] = outline.over(piece)
        if names.span:
            values[names.span] = {"start": piece.start, "end": piece.end}
        return values


def build(node: graph.StageNode, context: StageContext) -> Chunk:
    text = context.over(node.args["text"], "text")
    names = Names(*(context.constant(node, n, "") for n in ("as", "index", "headings", "span")))
    return Chunk(context, text, _cutter(node, context), names)


def _cutter(node: graph.StageNode, context: StageContext) -> Cut:
    unit = next((unit for unit in UNITS if unit in node.args), None)
    if "by" in node.args and unit is None:
        for label in ("overlap", "tokenizer"):
            if context.constant(node, label, None):
                message = f'`{label}:` does not go with `by: "heading"` without a size'
                raise UsageError(f"{context.label}: {message}", hint="give it `tokens:`")
        return sections
    size = _size(node, context, unit or "tokens")
    cut = sections_of if "by" in node.args else spans
    return lambda text: cut(text, size)


def _size(node: graph.StageNode, context: StageContext, unit: str) -> Size:
    most = context.constant(node, unit, TOKENS)
    overlap = context.constant(node, "overlap", 0)
    if overlap >= most:
        raise UsageError(
            f"{context.label}: an overlap of {overlap} {unit} leaves nothing of a piece of {most}",
            hint=f"take an overlap below {most}",
        )
    separators: list[str] = context.constant(node, "separators", [])
    if "" in separators:
        raise UsageError(f"{context.label}: a separator is a text, found an empty one")
    return Size(_starts(node, context, unit), most, overlap, tuple(separators))


def _starts(node: graph.StageNode, context: StageContext, unit: str) -> Starts:
    path = context.constant(node, "tokenizer", "")
    if not path:
        return UNITS[unit]
    starts: Starts = load("dpipe.runtime.tokenizer:token_starts")(folder_of(node) / path)
    return starts
