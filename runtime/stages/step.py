"""The common shapes of steps: a row at a time, or all rows before one leaves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ledger import Tally
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Reject, Row, Values


class RowStep(ABC):
    """Makes of each row the rows that go on in its place.

    ``reason`` is why a row for which there are none has ended.
    """

    full = False
    reason = "filtered"

    def __init__(self, context: StageContext) -> None:
        self.tally = Tally()
        self.label = context.label

    @abstractmethod
    def take(self, row: Row) -> Sequence[Row]:
        """The rows that a row becomes; raises ``NoValue`` where it is a reject."""

    def feed(self, batch: Batch) -> Batch:
        out: Batch = []
        entered = passed = left = 0
        for item in batch:
            if not isinstance(item, Row):
                out.append(item)
                continue
            entered += 1
            try:
                rows = self.take(item)
            except NoValue as reason:
                out.append(reject(self.label, item, reason))
                self.tally.lose("failed:error")
                continue
            if rows:
                passed += 1
                left += len(rows)
                out += rows
            else:
                self.tally.lose(self.reason)
        self.tally.entered += entered
        self.tally.passed += passed
        self.tally.left += left
        return out

    def finish(self) -> Batch:
        return []


class Gathering(ABC):
    """Holds the rows until all are there. Other items pass on at once, before every row."""

    full = False

    def __init__(self, context: StageContext) -> None:
        self.tally = Tally()
        self.label = context.label

    @abstractmethod
    def hold(self, row: Row) -> None:
        """Keep a row; raises ``NoValue`` where it is a reject."""

    @abstractmethod
    def release(self) -> list[Row]:
        """The rows that go on, in order; the others are surplus."""

    def feed(self, batch: Batch) -> Batch:
        out: Batch = []
        for item in batch:
            if not isinstance(item, Row):
                out.append(item)
                continue
            self.tally.entered += 1
            try:
                self.hold(item)
            except NoValue as reason:
                out.append(reject(self.label, item, reason))
                self.tally.lose("failed:error")
        return out

    def finish(self) -> Batch:
        rows = self.release()
        self.tally.passed = self.tally.left = len(rows)
        surplus = self.tally.entered - len(rows) - self.tally.reasons.total()
        if surplus:
            self.tally.lose("surplus", surplus)
        return list(rows)


def reject(label: str, row: Row, reason: NoValue) -> Reject:
    """The row as what ended in an expression without a value."""
    return Reject(label, "error", str(reason), row.place, row.values)


def computed(fields: tuple[tuple[str, OverRow], ...], row: Row, values: Values) -> Values:
    """The values with those of labelled expressions over the row.

    The reason for none names the field.
    """
    for name, value_of in fields:
        try:
            values[name] = value_of(row)
        except NoValue as reason:
            raise NoValue(f"`{name}`: {reason}") from None
    return values
