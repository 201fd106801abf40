"""``keep``: only these fields."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep, computed
from dpipe.runtime.values import Row


class Keep(RowStep):
    def __init__(self, context: StageContext, fields: tuple[tuple[str, OverRow], ...]) -> None:
        super().__init__(context)
        self._fields = fields

    def take(self, row: Row) -> tuple[Row]:
        return (row.with_values(computed(self._fields, row, {})),)


def build(node: graph.StageNode, context: StageContext) -> Keep:
    return Keep(context, context.fields(node.args["fields"]))
