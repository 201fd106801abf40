"""A dataset that stands is not replaced by what little is left where a run lost its rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from msgspec import Struct

from dpipe.runtime.paths import display
from dpipe.runtime.record import Project, list_runs
from dpipe.runtime.sinks.files import PARTIAL

SHARE = 2
"""A run that lost rows replaces what has up to so many times as many."""


class Spared(Struct, frozen=True):
    """An output of an earlier run that was left as it was; ``made`` rows lie beside it.

    ``rows`` is None where no run on record wrote it.
    """

    path: Path
    rows: int | None
    made: int


class Standing(Struct, frozen=True):
    """What lies where a sink is about to give its files their names.

    ``earlier`` are files of its earlier run, ``has_lost`` whether rows on their way to it failed.
    """

    project: Project
    earlier: Collection[Path]
    has_lost: Callable[[], bool]

    def spared(self, made: Mapping[Path, int]) -> Spared | None:
        """What is to be left as it is; None where the files made, with so many rows, go there."""
        if not self.has_lost():
            return None
        there = [path for path in dict.fromkeys([*made, *self.earlier]) if _holds_something(path)]
        if not there:
            return None
        rows, count = self._recorded(there), sum(made.values())
        if rows is None:
            return None if count else Spared(there[0], None, 0)
        return Spared(there[0], rows, count) if count * SHARE < rows else None

    def _recorded(self, paths: Collection[Path]) -> int | None:
        """The rows that runs on record wrote there; None where one is not known."""
        rows: dict[str, int] = {}
        for run in list_runs(self.project):
            rows |= run.result.sinks if run.result else {}
        known = [rows.get(display(path, self.project.root)) for path in paths]
        return None if None in known else sum(count for count in known if count is not None)


def _holds_something(path: Path) -> bool:
    files = path.rglob("*") if path.is_dir() else [path]
    return any(
        file.is_file() and file.suffix != PARTIAL and file.stat().st_size > 0 for file in files
    )
