"""``chunk``: a row for each piece of a text."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.chunking import spans
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import OverRow
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
    overlap = context.constant(node, "overlap", 0)
    if "by" in node.args:
        if overlap:
            raise UsageError(f'{context.label}: `overlap:` does not go with `by: "heading"`')
        return sections
    unit = next((u for u in ("chars", "sentences") if u in node.args), "tokens")
    size = context.constant(node, unit, TOKENS)
    if overlap >= size:
        raise UsageError(
            f"{context.label}: an overlap of {overlap} {unit} leaves nothing of a piece of {size}",
            hint=f"take an overlap below {size}",
        )
    return lambda text: spans(text, unit, size, overlap)
