"""``set``: adds fields, or replaces them where they stand."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep, computed
from dpipe.runtime.values import Row


class Set(RowStep):
    """Each expression sees the row before the stage."""

    def __init__(self, context: StageContext, fields: tuple[tuple[str, OverRow], ...]) -> None:
        super().__init__(context)
        self._fields = fields

    def take(self, row: Row) -> tuple[Row]:
        return (row.with_values(computed(self._fields, row, {**row.values})),)


def build(node: graph.StageNode, context: StageContext) -> Set:
    return Set(context, context.fields(node.args["fields"]))
