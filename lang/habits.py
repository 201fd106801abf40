"""The habits of other languages: each is told by its own words and read as what it means."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang.recover import Failure, Repair


def habits(failure: Failure) -> Iterator[Repair]:
    """The repairs for habits that fit what failed, the likeliest first."""
    yield from ()
