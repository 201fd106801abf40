"""``sample``: a random choice of rows, in their order."""

from __future__ import annotations

from heapq import heappush, heappushpop

from dpipe.lang import graph
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import Gathering
from dpipe.runtime.values import Row, key_of


class Sample(Gathering):
    """The ``n`` rows with the smallest hashes of seed and identity; of equal ones the first.

    It holds no more than those.
    """

    def __init__(self, context: StageContext, n: int) -> None:
        super().__init__(context)
        self._n = n
        self._salt = context.salt
        self._held: list[tuple[int, int, Row]] = []  # a heap, the first to go on top

    def hold(self, row: Row) -> None:
        draw = int.from_bytes(key_of(self._salt, row.key), "big")
        held = (-draw, -self.tally.entered, row)
        if len(self._held) < self._n:
            heappush(self._held, held)
        elif self._n:
            heappushpop(self._held, held)

    def release(self) -> list[Row]:
        return [row for _, _, row in sorted(self._held, key=lambda held: -held[1])]


def build(node: graph.StageNode, context: StageContext) -> Sample:
    return Sample(context, context.constant(node, "n", 0))
