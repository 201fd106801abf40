"""``where``: keeps the rows for which a test holds."""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row


class Where(RowStep):
    def __init__(self, context: StageContext, test: OverRow) -> None:
        super().__init__(context)
        self._test = test

    def take(self, row: Row) -> Sequence[Row]:
        return (row,) if self._test(row) else ()


def build(node: graph.StageNode, context: StageContext) -> Where:
    return Where(context, context.over(node.args["test"]))
