"""How many different values there are."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from dpipe.runtime.metrics.base import key


class Distinct:
    """Counts values that are not equal to an earlier one; 0 of none."""

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def add(self, value: Any) -> None:
        if value is not None:
            self._seen.add(key(value))

    def result(self) -> int:
        return len(self._seen)
