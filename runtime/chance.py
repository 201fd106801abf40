"""Chance, and identity: what hangs on which row it is, never on when it comes."""

from __future__ import annotations

from dpipe.runtime.values import chance


class Chance:
    """The draws of one expression: the n-th draw on a row is the same in every run.

    ``salt`` stands for the run's seed, the stage's content and the expression's place in it.
    ``begin`` says which row the next draws are for; an evaluation never waits in between.
    """

    __slots__ = ("_count", "_key", "_salt")

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._key = b""
        self._count = 0

    def begin(self, key: bytes) -> None:
        self._key = key
        self._count = 0

    @property
    def key(self) -> bytes:
        """The identity of the row."""
        return self._key

    def draw(self) -> float:
        """The next number in [0, 1) of the row."""
        self._count += 1
        return chance(self._salt, self._key, str(self._count))
