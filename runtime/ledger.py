"""What became of the rows: one tally a node, and the rule that every row is accounted for."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts of one node.

    Invariant: ``entered == passed + sum(reasons)``. ``passed`` counts the rows that went on,
    ``left`` the rows that came out: more where rows multiply, fewer where they fold. Reasons are
    ``filtered``, ``duplicate``, ``contaminated`` (shared with a benchmark), ``unmatched`` (by a
    join), ``done`` (left a loop, since ``until`` held), ``outvoted``, ``surplus`` (beyond a limit,
    or no longer wanted), ``empty`` (a list or text without parts) and ``failed:OUTCOME``.
    """

    __slots__ = ("entered", "left", "passed", "reasons")

    def __init__(self) -> None:
        self.entered = 0
        self.passed = 0
        self.left = 0
        self.reasons: Counter[str] = Counter()

    def lose(self, reason: str, count: int = 1) -> None:
        self.reasons[reason] += count

    @property
    def balanced(self) -> bool:
        return self.entered == self.passed + self.reasons.total()
