"""The sum of numbers."""

from __future__ import annotations

from dpipe.runtime.metrics.total import Total


class Sum:
    """The sum of the values that are not null; 0 of none."""

    def __init__(self) -> None:
        self._total = Total()

    def add(self, value: int | float | None) -> None:
        if value is not None:
            self._total.add(value)

    def result(self) -> int | float:
        return self._total.value
