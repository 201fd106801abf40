"""``select``: a diverse choice of rows, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpipe.lang import graph
from dpipe.runtime.cosines import Units, cosines, units
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.vectors import Vector, VectorTask
from dpipe.runtime.values import Batch, Row, key_of


class Select(VectorTask):
    """Each next row is the one whose nearest chosen row is farthest away (greedy k-center).

    Chance, which hangs on seed and identity, says which row comes first.
    """

    def __init__(self, context: StageContext, text: OverRow, model: graph.One, n: int) -> None:
        super().__init__(context, text, model)
        self._n = n
        self._salt = context.salt
        self._rows: list[Row] = []
        self._units: list[Units] = []

    def take(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> list[None]:
        self._rows += rows
        if vectors:
            self._units.append(units(vectors))
        return [None] * len(rows)

    def release(self) -> Batch:
        enough = self._n < len(self._rows)
        chosen = sorted(self._chosen()) if enough else range(len(self._rows))
        self.tally.passed = self.tally.left = len(chosen)
        if len(chosen) < len(self._rows):
            self.tally.lose("surplus", len(self._rows) - len(chosen))
        return [self._rows[at] for at in chosen]

    def _chosen(self) -> list[int]:
        """The places of the chosen rows, as they are chosen; there are more rows than ``n``."""
        if self._n == 0:
            return []
        found = np.concatenate(self._units)
        draws = [key_of(self._salt, row.key) for row in self._rows]
        chosen = [draws.index(min(draws))]
        nearest = np.full(len(found), -np.inf)
        while len(chosen) < self._n:
            newest = found[chosen[-1] : chosen[-1] + 1]
            nearest = np.maximum(nearest, cosines(found, newest)[:, 0])
            nearest[chosen[-1]] = np.inf
            chosen.append(int(np.argmin(nearest)))
        return chosen


def build(node: graph.StageNode, context: StageContext) -> Select:
    method = node.args["by"]
    assert isinstance(method, graph.Method)
    model = method.args["model"]
    assert isinstance(model, graph.One)
    text = context.over(node.args["text"], "text")
    return Select(context, text, model, context.constant(node, "n", 0))
