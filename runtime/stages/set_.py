"""``set``: adds fields, or replaces them where they stand."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row, Values


class Set(RowStep):
    """Each expression sees the row before the stage."""

    def __init__(self, context: StageContext, fields: tuple[tuple[str, OverRow], ...]) -> None:
        super().__init__(context)
        self._fields = fields

    def take(self, row: Row) -> tuple[Row]:
        return (row.with_values({**row.values, **computed(self._fields, row)}),)


def computed(fields: tuple[tuple[str, OverRow], ...], row: Row) -> Values:
    """Labelled expressions over a row; the reason for none names the field."""
    values: Values = {}
    for name, value_of in fields:
        try:
            values[name] = value_of(row)
        except NoValue as reason:
            raise NoValue(f"`{name}`: {reason}") from None
    return values


def build(node: graph.StageNode, context: StageContext) -> Set:
    return Set(context, context.fields(node.args["fields"]))
