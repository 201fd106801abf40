"""How much of a source's files has been read: a guess, for those who watch a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dpipe.runtime.paths import display


class Extent:
    """The files of a source as one stretch of bytes, and how far into it reading has come.

    It is told of a record now and then, not of each: where the records of a file are lines, the
    place in it is guessed from their number and the lengths of those that were told.
    """

    def __init__(self, files: Iterable[Path], project: Path) -> None:
        self._spans: dict[str, tuple[int, int]] = {}
        self._total = 0
        for file in files:
            size = _size(file)
            self._spans[display(file, project)] = (self._total, size)
            self._total += size
        self._reached = 0.0
        self._told = 0
        self._bytes = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where there are no files to tell it from."""
        return self._reached / self._total if self._total else None

    def reach(self, place: str, raw: bytes | str) -> None:
        """Reading has come to the record at a place; ``raw`` is its identity."""
        if place in self._spans:
            self._reached = float(sum(self._spans[place]))
            return
        name, _, number = place.rpartition(":")
        if name in self._spans and number.isdigit():
            self._told += 1
            self._bytes += len(raw) + 1
            start, size = self._spans[name]
            self._reached = start + min(size, int(number) * self._bytes / self._told)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
