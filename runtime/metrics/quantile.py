"""Quantiles of numbers."""

from __future__ import annotations

from array import array
from math import floor


class Quantile:
    """The value below which the share ``q`` (0..1) of the values lies; null of none.

    Interpolated linearly between the two nearest values, at place ``q * (n - 1)`` of the sorted
    ones (type 7 of Hyndman and Fan 1996, which numpy and R have as default). Keeps every value.
    """

    def __init__(self, q: float) -> None:
        self._q = q
        self._values = array("d")

    def add(self, value: float | None) -> None:
        if value is not None:
            self._values.append(value)

    def result(self) -> float | None:
        ordered = sorted(self._values)
        if not ordered:
            return None
        place = self._q * (len(ordered) - 1)
        below = floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
