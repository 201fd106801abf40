"""All values."""

from __future__ import annotations

from typing import Any


class Collect:
    """The values in the rows' order, nulls among them; an empty list of none."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        self._values.append(value)

    def result(self) -> list[Any]:
        return self._values
