"""The least and the greatest value."""

from __future__ import annotations

from typing import Any


class Min:
    """The first of the least values, of numbers or texts; null of none."""

    def __init__(self) -> None:
        self._best: Any = None

    def add(self, value: Any) -> None:
        if value is not None and (self._best is None or value < self._best):
            self._best = value

    def result(self) -> Any:
        return self._best


class Max:
    """The first of the greatest values, of numbers or texts; null of none."""

    def __init__(self) -> None:
        self._best: Any = None

    def add(self, value: Any) -> None:
        if value is not None and (self._best is None or value > self._best):
            self._best = value

    def result(self) -> Any:
        return self._best
