"""A dataset that stands is not replaced by a sample, nor by what a run that lost its rows has."""

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

    ``rows`` is None where no run on record wrote it; ``for_sample`` where it is more than a sample.
    """

    path: Path
    rows: int | None
    made: int
    for_sample: bool = False


class Standing(Struct, frozen=True):
    """What lies where a sink is about to give its files their names.

    ``earlier`` are files of its earlier run, ``has_lost`` whether rows on their way to it failed;
    with ``is_sample`` the run has only the first rows of each source.
    """

    project: Project
    earlier: Collection[Path]
    has_lost: Callable[[], bool]
    is_sample: bool = False

    def spared(self, made: Mapping[Path, int]) -> Spared | None:
        """What is to be left as it is; None where the files made, with so many rows, go there."""
        if not (self.is_sample or self.has_lost()):
            return None
        there = [path for path in dict.fromkeys([*made, *self.earlier]) if _holds_something(path)]
        if not there:
            return None
        written, count = self._written(there), sum(made.values())
        rows = None if None in written else sum(each.rows for each in written if each)
        if self.is_sample and not all(each and each.is_sample for each in written):
            return Spared(there[0], rows, count, for_sample=True)
        if not self.has_lost():
            return None
        if rows is None:
            return None if count else Spared(there[0], None, 0)
        return Spared(there[0], rows, count) if count * SHARE < rows else None

    def _written(self, paths: Collection[Path]) -> list[_Written | None]:
        """What the last run on record that wrote there did; None where none is known."""
        known: dict[str, _Written] = {}
        for run in list_runs(self.project):
            is_sample = run.record is not None and run.record.settings.sample is not None
            for path, rows in run.result.sinks.items() if run.result else ():
                known[path] = _Written(rows, is_sample)
        return [known.get(display(path, self.project.root)) for path in paths]


class _Written(Struct, frozen=True):
    """The rows of a file, and whether a run with ``--sample`` wrote them."""

    rows: int
    is_sample: bool


def _holds_something(path: Path) -> bool:
    files = path.rglob("*") if path.is_dir() else [path]
    return any(
        file.is_file() and file.suffix != PARTIAL and file.stat().st_size > 0 for file in files
    )
