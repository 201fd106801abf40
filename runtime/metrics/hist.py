"""How values spread."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable
from typing import Any

from dpipe.runtime.metrics.base import key


class Hist:
    """Counts of ranges where all values are numbers, else of the values themselves.

    Numbers: ``bins`` records ``{ low, high, count }`` of equal width from the least value to the
    greatest; a range holds its low end, the last one its high end too; one range where all are
    equal. Others: ``{ value, count }``, the most frequent first, then in order of first
    occurrence. An empty list of none.
    """

    def __init__(self, bins: int = 10) -> None:
        self._bins = bins
        self._numbers: array[float] | None = array("d")
        self._counts: Counter[Hashable] = Counter()
        self._values: dict[Hashable, Any] = {}

    def add(self, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self._numbers is not None:
                self._numbers.append(value)
        else:
            self._numbers = None
        name = key(value)
        self._counts[name] += 1
        self._values.setdefault(name, value)

    def result(self) -> list[dict[str, Any]]:
        if self._numbers is not None:
            return _ranges(self._numbers, self._bins)
        return [
            {"value": self._values[name], "count": count}
            for name, count in self._counts.most_common()
        ]


def _ranges(numbers: array[float], bins: int) -> list[dict[str, Any]]:
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    if low == high:
        return [{"low": low, "high": high, "count": len(numbers)}]
    edges = [low + (high - low) * (at / bins) for at in range(bins)] + [high]
    counts = [0] * bins
    for number in numbers:
        counts[min(bisect_right(edges, number) - 1, bins - 1)] += 1
    return [
        {"low": edges[at], "high": edges[at + 1], "count": count} for at, count in enumerate(counts)
    ]
