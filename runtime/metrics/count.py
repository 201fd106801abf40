"""How many rows there are."""

from __future__ import annotations

from typing import Any


class Count:
    """Counts each ``add``, of whatever value; 0 of no rows."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, value: Any = None) -> None:
        self._count += 1

    def result(self) -> int:
        return self._count
