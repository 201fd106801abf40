"""``drop``: all fields but these."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row


class Drop(RowStep):
    def __init__(self, context: StageContext, names: frozenset[str]) -> None:
        super().__init__(context)
        self._names = names

    def take(self, row: Row) -> tuple[Row]:
        gone = self._names
        return (row.with_values({k: v for k, v in row.values.items() if k not in gone}),)


def build(node: graph.StageNode, context: StageContext) -> Drop:
    names = node.args["names"]
    assert isinstance(names, graph.Fields)
    return Drop(context, frozenset(name for name, _ in names.entries))
