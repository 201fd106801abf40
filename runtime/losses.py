"""Which failures lost a row: those that came to the rejects of a sink.

Rows that an ``ask`` above a full ``limit`` had begun, and that failed, are missing nowhere: they
are surplus, like those that did not fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec.structs import replace

from dpipe.runtime.events import NodeCount
from dpipe.runtime.values import Reject

FAILED = "failed:"


class Losses:
    """The rejects that have come to their sinks, by stage and outcome.

    Only what the nodes ``above_limits`` reject may be wanted by nobody.
    """

    def __init__(self, above_limits: Collection[int]) -> None:
        self._above_limits = above_limits
        self._written: Counter[tuple[str, str]] = Counter()

    def rejected(self, reject: Reject) -> None:
        self._written[reject.stage, FAILED + reject.outcome] += 1

    def of(self, order: Iterable[int], counts: Iterable[NodeCount]) -> tuple[NodeCount, ...]:
        """The counts of these nodes, failures that came to no sink among the surplus."""
        left = self._written.copy()
        settled = dict(zip(order, counts, strict=True))
        for index, count in settled.items():
            if index not in self._above_limits:
                left.subtract({(count.label, reason): n for reason, n in count.reasons.items()})
        for index, count in settled.items():
            if index in self._above_limits and count.failed:
                settled[index] = _settled(count, left)
        return tuple(settled.values())


def _settled(count: NodeCount, left: Counter[tuple[str, str]]) -> NodeCount:
    """A count without the failures that none is ``left`` of; the others are taken from there."""
    reasons = Counter(count.reasons)
    for reason, failed in count.reasons.items():
        if reason.startswith(FAILED):
            lost = min(failed, max(left[count.label, reason], 0))
            left[count.label, reason] -= lost
            reasons[reason] = lost
            reasons["surplus"] += failed - lost
    return replace(count, reasons=dict(+reasons))
