"""The names of a table's columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def named(cells: Sequence[str]) -> list[str]:
    """The names that the first line gives; a blank one is called by its place."""
    return [cell.strip() or f"column {at}" for at, cell in enumerate(cells, 1)]


def refuse_twins(names: Sequence[str]) -> None:
    """Raises ``ValueError`` where two columns have the same name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{count} columns are called `{name}`")
