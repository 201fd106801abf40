"""``sort``: orders the rows; equals keep their order, null comes last."""

from __future__ import annotations

from typing import Any

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.render import kind_of
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import Gathering
from dpipe.runtime.values import Row

_RANKS = {bool: 0, int: 1, float: 1, str: 2}
"""Which kind of value comes first where a column mixes them."""


class Sort(Gathering):
    def __init__(self, context: StageContext, by: OverRow, desc: bool) -> None:
        super().__init__(context)
        self._by = by
        self._desc = desc
        self._rows: list[tuple[tuple[int, Any], Row]] = []
        self._without: list[Row] = []

    def hold(self, row: Row) -> None:
        value = self._by(row)
        if value is None:
            self._without.append(row)
            return
        rank = _RANKS.get(value.__class__)
        if rank is None:
            raise NoValue(f"{kind_of(value)} has no place in an order")
        self._rows.append(((rank, value), row))

    def release(self) -> list[Row]:
        self._rows.sort(key=lambda held: held[0], reverse=self._desc)
        return [row for _, row in self._rows] + self._without


def build(node: graph.StageNode, context: StageContext) -> Sort:
    by = context.over(node.args["by"])
    return Sort(context, by, context.constant(node, "desc", False))
