"""``dedup`` by embedding: drops rows whose vector lies near that of an earlier one.

The plain exact form: every text is compared with every kept one. A product of matrices in single
precision finds the near ones; what it finds is decided by an exactly rounded sum, so how rows come
in batches changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from math import fsum
from typing import TypeAlias

import numpy as np
import trio
from msgspec import Struct
from numpy.typing import NDArray

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ledger import Tally
from dpipe.runtime.models.protocol import RejectedRequest, Unavailable
from dpipe.runtime.stages.base import Outlet, Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.matches import Matches
from dpipe.runtime.stages.step import reject
from dpipe.runtime.values import Batch, Item, Reject, Row

GROUP = 64
"""Texts of one call."""

AHEAD = 16
"""Groups that are embedded at a time."""

_SLACK = 1e-4
"""More than single precision may be wrong by."""


Vector: TypeAlias = Sequence[float]
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


class NoVector(Struct, frozen=True):
    """A text that the embedder gave no vector for."""

    outcome: str
    message: str


class Group:
    """Items in order; ``rows`` those to compare, their ``vectors`` there once ``ready``."""

    def __init__(self) -> None:
        self.items: Batch = []
        self.rows: list[Row] = []
        self.texts: list[str] = []
        self.vectors: list[Vector | NoVector] = []
        self.ready = trio.Event()


class EmbeddingDedup:
    """Groups of texts are embedded side by side and compared in order."""

    def __init__(
        self, context: StageContext, text: OverRow, model: graph.One, threshold: float
    ) -> None:
        assert context.embed is not None
        self.tally = Tally()
        self.matches = Matches()
        self._label = context.label
        self._text = text
        self._embed = context.embed
        self._model = model
        self._index = VectorIndex(threshold)
        self._unwanted = False

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        send, receive = trio.open_memory_channel[Group](AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, receive, out, nursery.cancel_scope)
            with send:
                async for batch in rows:
                    for start in range(0, len(batch), GROUP):
                        group = self._group(batch[start : start + GROUP])
                        nursery.start_soon(self._fill, group)
                        await send.send(group)
        if self._unwanted:
            under_way = self.tally.entered - self.tally.passed - self.tally.reasons.total()
            self.tally.lose("surplus", under_way)
            raise Unwanted

    def _group(self, items: Batch) -> Group:
        group = Group()
        for item in items:
            if isinstance(item, Row):
                self.tally.entered += 1
                try:
                    group.texts.append(self._text(item))
                    group.rows.append(item)
                except NoValue as reason:
                    self.tally.lose("failed:error")
                    item = reject(self._label, item, reason)
            group.items.append(item)
        return group

    # -- vectors ---------------------------------------------------------------------------------

    async def _fill(self, group: Group) -> None:
        if group.texts:
            group.vectors = await self._vectors(group.texts)
        group.ready.set()

    async def _vectors(self, texts: list[str]) -> list[Vector | NoVector]:
        """One text that is refused takes no other with it."""
        try:
            return [*await self._embed(self._model, texts)]
        except Unavailable as failure:
            return [NoVector("unavailable", failure.message)] * len(texts)
        except RejectedRequest as failure:
            if len(texts) == 1:
                return [NoVector("rejected_request", failure.message)]
        half = len(texts) // 2
        return await self._vectors(texts[:half]) + await self._vectors(texts[half:])

    # -- rows out --------------------------------------------------------------------------------

    async def _deliver(
        self, groups: trio.MemoryReceiveChannel[Group], out: Outlet, rows: trio.CancelScope
    ) -> None:
        with groups:
            async for group in groups:
                await group.ready.wait()
                batch = self._without_duplicates(group)
                try:
                    if batch:
                        await out.put(batch)
                except Unwanted:
                    self._unwanted = True
                    rows.cancel()
                    return

    def _without_duplicates(self, group: Group) -> Batch:
        ends = dict(zip(map(id, group.rows), self._ends(group), strict=True))
        kept = (ends.get(id(item), item) for item in group.items)
        return [item for item in kept if item is not None]

    def _ends(self, group: Group) -> list[Item | None]:
        """What becomes of each row: itself, a reject, or None for a duplicate."""
        vectors = [vector for vector in group.vectors if not isinstance(vector, NoVector)]
        originals = iter(self._index.add_all(vectors))
        return [
            self._failed(row, vector) if isinstance(vector, NoVector) else self._end(row, originals)
            for row, vector in zip(group.rows, group.vectors, strict=True)
        ]

    def _end(self, row: Row, originals: Iterator[int | None]) -> Row | None:
        original = next(originals)
        if original is None:
            self.matches.kept(row.place)
            self.tally.passed += 1
            self.tally.left += 1
            return row
        self.tally.lose("duplicate")
        self.matches.duplicate(row.place, original)
        return None

    def _failed(self, row: Row, failure: NoVector) -> Reject:
        self.tally.lose(f"failed:{failure.outcome}")
        return Reject(self._label, failure.outcome, failure.message, row.place, row.values)
