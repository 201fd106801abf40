"""``shuffle``: the rows in a random order."""

from __future__ import annotations

from dpipe.lang import graph
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import Gathering
from dpipe.runtime.values import Row, key_of


class Shuffle(Gathering):
    """In the order of the hashes of seed and identity; equal ones keep their order."""

    def __init__(self, context: StageContext) -> None:
        super().__init__(context)
        self._salt = context.salt
        self._rows: list[tuple[bytes, Row]] = []

    def hold(self, row: Row) -> None:
        self._rows.append((key_of(self._salt, row.key), row))

    def release(self) -> list[Row]:
        self._rows.sort(key=lambda held: held[0])
        return [row for _, row in self._rows]


def build(node: graph.StageNode, context: StageContext) -> Shuffle:
    return Shuffle(context)
