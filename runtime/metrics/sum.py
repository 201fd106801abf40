"""The sum of numbers."""

from __future__ import annotations


class Sum:
    """Exact for ints; for floats compensated (Neumaier 1974), so that order hardly matters.

    0 of no values.
    """

    def __init__(self) -> None:
        self._whole = 0
        self._total = 0.0
        self._lost = 0.0
        self._floats = False

    def add(self, value: float | None) -> None:
        if isinstance(value, int):
            self._whole += value
        elif value is not None:
            self._floats = True
            self._add_float(value)

    def _add_float(self, value: float) -> None:
        total = self._total + value
        if abs(self._total) >= abs(value):
            self._lost += (self._total - total) + value
        else:
            self._lost += (value - total) + self._total
        self._total = total

    def result(self) -> float:
        return self._whole + (self._total + self._lost) if self._floats else self._whole
