"""A running sum."""

from __future__ import annotations


class Total:
    """Exact for ints; for floats compensated (Neumaier 1974), so that order hardly matters."""

    def __init__(self) -> None:
        self._whole = 0
        self._sum = 0.0
        self._lost = 0.0
        self._has_floats = False

    def add(self, value: int | float) -> None:
        if isinstance(value, int):
            self._whole += value
        else:
            self._has_floats = True
            self._add_float(value)

    def _add_float(self, value: float) -> None:
        total = self._sum + value
        if abs(self._sum) >= abs(value):
            self._lost += (self._sum - total) + value
        else:
            self._lost += (value - total) + self._sum
        self._sum = total

    @property
    def value(self) -> int | float:
        return self._whole + (self._sum + self._lost) if self._has_floats else self._whole
