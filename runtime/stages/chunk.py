"""``chunk``: a row for each piece of a text."""

from __future__ import annotations

from collections.abc import Callable

from dpipe.lang import graph
from dpipe.runtime.chunking import cut, cut_at_headings
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row

TOKENS = 800
"""How large a piece is where the program does not say."""

Cut = Callable[[str], list[str]]


class Chunk(RowStep):
    reason = "empty"

    def __init__(self, context: StageContext, text: OverRow, cut: Cut, as_: str) -> None:
        super().__init__(context)
        self._text = text
        self._cut = cut
        self._as = as_

    def take(self, row: Row) -> list[Row]:
        pieces = self._cut(self._text(row))
        return [row.child({**row.values, self._as: piece}, at) for at, piece in enumerate(pieces)]


def build(node: graph.StageNode, context: StageContext) -> Chunk:
    text = context.over(node.args["text"], "text")
    return Chunk(context, text, _cutter(node, context), context.constant(node, "as", ""))


def _cutter(node: graph.StageNode, context: StageContext) -> Cut:
    overlap = context.constant(node, "overlap", 0)
    if "by" in node.args:
        if overlap:
            raise UsageError(f'{context.label}: `overlap:` does not go with `by: "heading"`')
        return cut_at_headings
    unit = next((u for u in ("chars", "sentences") if u in node.args), "tokens")
    size = context.constant(node, unit, TOKENS)
    if overlap >= size:
        raise UsageError(
            f"{context.label}: an overlap of {overlap} {unit} leaves nothing of a piece of {size}",
            hint=f"take an overlap below {size}",
        )
    return lambda text: cut(text, unit, size, overlap)
