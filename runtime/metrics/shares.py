"""How mixed values are, from the share that each different one has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import fsum, log
from typing import Any

from dpipe.runtime.metrics.base import key


class _Shares:
    def __init__(self) -> None:
        self._counts: Counter[Hashable] = Counter()

    def add(self, value: Any) -> None:
        if value is not None:
            self._counts[key(value)] += 1

    def shares(self) -> list[float]:
        total = self._counts.total()
        return [count / total for count in self._counts.values()]


class Entropy(_Shares):
    """Shannon's entropy in nats, ``-sum(p * ln p)``: 0 of equal values and of none.

    C. E. Shannon, A Mathematical Theory of Communication, 1948.
    """

    def result(self) -> float:
        return abs(fsum(p * log(p) for p in self.shares()))


class Simpson(_Shares):
    """The Gini-Simpson index ``1 - sum(p * p)``: 0 of equal values and of none.

    The chance that two values drawn with replacement differ. E. H. Simpson, Measurement of
    Diversity, 1949.
    """

    def result(self) -> float:
        return 1 - fsum(p * p for p in self.shares()) if self._counts else 0.0
