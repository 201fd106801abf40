"""The arithmetic mean of numbers."""

from __future__ import annotations

from dpipe.runtime.metrics.sum import Sum


class Mean:
    """Sum over count of the values that are not null; null of none."""

    def __init__(self) -> None:
        self._sum = Sum()
        self._count = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self._sum.add(value)
            self._count += 1

    def result(self) -> float | None:
        return self._sum.result() / self._count if self._count else None
