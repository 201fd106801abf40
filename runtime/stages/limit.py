"""``limit``: the first rows behind those passed over, of all or for each value of ``per:``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable
from fractions import Fraction
from math import ceil
from typing import Any

from dpipe.lang import graph, types
from dpipe.runtime.equality import frozen
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import Gathering, reject
from dpipe.runtime.values import Batch, Leaver, Row


class Limit:
    """``n`` rows behind the first ``skip``, or as many of each value of ``per``.

    ``full`` once no row can go on any more; with ``per`` only where ``members`` are all its
    values. What comes then is surplus, rejects too; only what leaves a loop goes on.
    """

    def __init__(
        self,
        context: StageContext,
        n: int,
        per: OverRow | None = None,
        members: Collection[Any] | None = None,
        skip: int = 0,
    ) -> None:
        self.tally = Tally()
        self._label = context.label
        self._skip = skip
        self._last = skip + n if n else 0
        self._per = per
        self._counts: Counter[Hashable] = Counter()
        values = [None] if per is None else members
        self._open = None if values is None else set(map(frozen, values))

    @property
    def full(self) -> bool:
        return self._last == 0 or self._open == set()

    def feed(self, batch: Batch) -> Batch:
        out: Batch = []
        for item in batch:
            if isinstance(item, Row):
                self._take(item, out)
            elif isinstance(item, Leaver) or not self.full:
                out.append(item)
        return out

    def _take(self, row: Row, out: Batch) -> None:
        self.tally.entered += 1
        if self.full:
            self.tally.lose("surplus")
            return
        try:
            value = None if self._per is None else frozen(self._per(row))
        except NoValue as reason:
            out.append(reject(self._label, row, reason))
            self.tally.lose("failed:error")
            return
        if self._skip < self._count(value) <= self._last:
            out.append(row)
            self.tally.passed += 1
            self.tally.left += 1
        else:
            self.tally.lose("surplus")

    def _count(self, value: Hashable) -> int:
        """Which row of its value this is, from 1."""
        self._counts[value] += 1
        if self._open and self._counts[value] == self._last:
            self._open.discard(value)
        return self._counts[value]

    def finish(self) -> Batch:
        return []


class LimitShare(Gathering):
    """The first ``share`` of the rows, or of those of each value of ``per``, rounded up."""

    def __init__(self, context: StageContext, share: float, per: OverRow | None = None) -> None:
        super().__init__(context)
        self._share = Fraction(str(share))  # as it is written: 0.1 of 30 is 3, not 4
        self._per = per
        self._rows: list[tuple[Hashable, Row]] = []

    def hold(self, row: Row) -> None:
        self._rows.append((None if self._per is None else frozen(self._per(row)), row))

    def release(self) -> list[Row]:
        sizes = Counter(value for value, _ in self._rows)
        left = {value: ceil(self._share * size) for value, size in sizes.items()}
        kept = []
        for value, row in self._rows:
            if left[value]:
                left[value] -= 1
                kept.append(row)
        return kept


def build(node: graph.StageNode, context: StageContext) -> Limit | LimitShare:
    per_arg = node.args.get("per")
    per = None if per_arg is None else context.over(per_arg, "per")
    share = context.constant(node, "share", None)
    if share is not None:
        return LimitShare(context, share, per)
    members = members_of(type_of(per_arg, node.row))
    skip = context.constant(node, "skip", 0)
    return Limit(context, context.constant(node, "n", 0), per, members, skip)


def type_of(arg: graph.Arg | None, row: types.Record) -> types.Type:
    """The type of a path into the row; unknown of anything else."""
    match arg:
        case graph.Field(name):
            return row.get(name) or types.UNKNOWN
        case graph.Attr(of, name):
            record = type_of(of, row)
            found = record.get(name) if isinstance(record, types.Record) else None
            return found or types.UNKNOWN
        case _:
            return types.UNKNOWN


def members_of(of: types.Type) -> tuple[Any, ...] | None:
    """Every value of an enum or bool; None of other types."""
    match of:
        case types.Enum(values):
            return values
        case types.Bool():
            return (True, False)
        case types.Optional(inner):
            members = members_of(inner)
            return None if members is None else (*members, None)
        case _:
            return None
