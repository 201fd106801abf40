"""``split``: puts each row into a part by a hash, so that adding rows moves none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from dpipe.lang import graph
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.functions.convert import hash_
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row, chance


class Split(RowStep):
    """The shares hold on average; ``sizes`` counts the rows of each part, none too."""

    def __init__(
        self,
        context: StageContext,
        shares: Sequence[tuple[str, float]],
        by: OverRow | None,
        as_: str,
    ) -> None:
        super().__init__(context)
        self.sizes = Counter({name: 0 for name, _ in shares})
        bounds = accumulate(share for _, share in shares)
        self._bounds = [(name, bound) for (name, _), bound in zip(shares, bounds, strict=True)]
        self._rest = [name for name, share in shares if share][-1]
        self._salt = context.salt
        self._by = by
        self._as = as_

    def take(self, row: Row) -> tuple[Row]:
        identity = row.key if self._by is None else hash_(self._by(row))
        part = self._part(chance(self._salt, identity))
        self.sizes[part] += 1
        return (row.with_values({**row.values, self._as: part}),)

    def _part(self, draw: float) -> str:
        for name, bound in self._bounds:
            if draw < bound:
                return name
        return self._rest  # where the shares sum to a hair less than 1


def build(node: graph.StageNode, context: StageContext) -> Split:
    by = node.args.get("by")
    return Split(
        context,
        _shares(node, context),
        None if by is None else context.over(by, "by"),
        context.constant(node, "as", ""),
    )


def _shares(node: graph.StageNode, context: StageContext) -> list[tuple[str, float]]:
    given = node.args["shares"]
    assert isinstance(given, graph.Fields)
    shares = [(name, context.expressions.constant(share)) for name, share in given.entries]
    total = sum(share for _, share in shares)
    if abs(total - 1) > 1e-6:
        raise UsageError(f"{context.label}: the shares sum to {total:g}, not to 1")
    return shares
