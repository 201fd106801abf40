"""``dedup`` by embedding: drops rows whose vector lies near that of an earlier one.

The plain exact form: every text is compared with every kept one. A product of matrices in single
precision finds the near ones; what it finds is decided by an exactly rounded sum, so how rows come
in batches changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from math import fsum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.base import Outlet
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.matches import Matches
from dpipe.runtime.stages.vectors import GROUP, Vector, VectorTask
from dpipe.runtime.values import Batch, Row

_SLACK = 1e-4
"""More than single precision may be wrong by."""


Unit: TypeAlias = NDArray[np.float32]


class VectorIndex:
    """The kept vectors at length 1, in one growing matrix."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._kept = np.empty((0, 0), np.float32)
        self._count = 0

    def add_all(self, vectors: Sequence[Vector]) -> list[int | None]:
        """For each vector the first kept one that it is like, or None where it is kept too."""
        if not vectors:
            return []
        units = np.stack([_unit(vector) for vector in vectors])
        known = self._count
        near = units @ self._kept[:known].T if known else np.empty((len(units), 0), np.float32)
        among = units @ units.T
        found: list[int | None] = []
        places: dict[int, int] = {}  # of those of this group that are kept
        for at, unit in enumerate(units):
            newer = [places[n] for n in self._close(among[at, :at]) if n in places]
            found.append(self._first_like(unit, self._close(near[at]) + newer))
            if found[-1] is None:
                places[at] = self._keep(unit)
        return found

    def _close(self, cosines: Unit) -> list[int]:
        """Where a cosine may reach the threshold."""
        close: list[int] = np.flatnonzero(cosines >= self._threshold - _SLACK).tolist()
        return close

    def _first_like(self, unit: Unit, candidates: list[int]) -> int | None:
        return next(
            (n for n in candidates if _cosine(self._kept[n], unit) >= self._threshold), None
        )

    def _keep(self, unit: Unit) -> int:
        if self._count == len(self._kept):
            grown = np.empty((max(1024, 2 * self._count), len(unit)), np.float32)
            grown[: self._count] = self._kept[: self._count].reshape(-1, len(unit))
            self._kept = grown
        self._kept[self._count] = unit
        self._count += 1
        return self._count - 1


def _unit(vector: Vector) -> Unit:
    """The vector at length 1; one without a direction is like none."""
    exact = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(exact))
    return (exact / length if length else exact).astype(np.float32)


def _cosine(a: Unit, b: Unit) -> float:
    """Correctly rounded, so the same whatever else is computed at a time."""
    return fsum((a.astype(np.float64) * b).tolist())


class EmbeddingDedup(VectorTask):
    """``of_other`` is the text of a row of ``against:``, of which none goes on."""

    reason = "duplicate"

    def __init__(
        self,
        context: StageContext,
        text: OverRow,
        model: graph.One,
        threshold: float,
        of_other: OverRow | None = None,
    ) -> None:
        super().__init__(context, text, model)
        self.matches = Matches()
        self._index = VectorIndex(threshold)
        self._of_other = of_other

    async def prepare(self, out: Outlet, others: Mapping[str, AsyncIterator[Batch]]) -> None:
        if self._of_other is None:
            return
        found = await self.known(others["against"], self._of_other, out)
        for start in range(0, len(found), GROUP):
            group = found[start : start + GROUP]
            self._compared([row for row, _ in group], [vector for _, vector in group])

    def take(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> list[Row | None]:
        originals = self._compared(rows, vectors)
        for row, original in zip(rows, originals, strict=True):
            if original is not None:
                self.matches.duplicate(row.place, original)
        kept = zip(rows, originals, strict=True)
        return [row if original is None else None for row, original in kept]

    def _compared(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> list[int | None]:
        """For each row the first kept one that it is like; None where it is kept too."""
        originals = self._index.add_all(vectors)
        for row, original in zip(rows, originals, strict=True):
            if original is None:
                self.matches.kept(row.place)
        return originals
