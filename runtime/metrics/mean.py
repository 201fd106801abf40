"""The arithmetic mean of numbers."""

from __future__ import annotations

from dpipe.runtime.metrics.total import Total


class Mean:
    """Sum over count of the values that are not null; null of none."""

    def __init__(self) -> None:
        self._total = Total()
        self._count = 0

    def add(self, value: int | float | None) -> None:
        if value is not None:
            self._total.add(value)
            self._count += 1

    def result(self) -> float | None:
        return self._total.value / self._count if self._count else None
