"""``embed``: puts the vector of a text into the row."""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.vectors import Vector, VectorTask
from dpipe.runtime.values import Row


class Embed(VectorTask):
    def __init__(self, context: StageContext, text: OverRow, model: graph.One, as_: str) -> None:
        super().__init__(context, text, model)
        self._as = as_

    def take(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> list[Row]:
        found = zip(rows, vectors, strict=True)
        return [row.with_values({**row.values, self._as: vector}) for row, vector in found]


def build(node: graph.StageNode, context: StageContext) -> Embed:
    using = node.args["using"]
    assert isinstance(using, graph.One)
    text = context.over(node.args["text"], "text")
    return Embed(context, text, using, context.constant(node, "as", ""))
