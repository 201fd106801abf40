"""Which row each duplicate is like."""

from __future__ import annotations

from msgspec import Struct

MOST = 1000
"""How many duplicates a stage remembers."""


class Match(Struct, frozen=True):
    """Where a dropped row came from, and the kept row that it is like."""

    place: str
    of: str


class Matches:
    """The first duplicates of a stage, in ``found``, and where its kept rows came from."""

    def __init__(self) -> None:
        self.found: list[Match] = []
        self._kept: list[str] = []

    def kept(self, place: str) -> None:
        self._kept.append(place)

    def duplicate(self, place: str, original: int) -> None:
        """A row like the ``original``-th kept one, counted from 0."""
        if len(self.found) < MOST:
            self.found.append(Match(place, self._kept[original]))
