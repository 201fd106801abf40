"""Which run wrote a file: found by its record, below the folder of its project."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import RunStarted
from dpipe.runtime.places import real_place
from dpipe.runtime.record import Project, Run, list_runs, read_events
from dpipe.runtime.sinks.files import PARTIAL

_PLACEHOLDER = re.compile(r"\\\{\\\.[^/]*?\\\}")


def writer_of(file: Path) -> tuple[Project, Run]:
    """The last run that wrote a file, which may be a partial one; raises ``UsageError``."""
    place = real_place(file.absolute())
    projects = projects_near(place)
    for project in projects:
        for run in reversed(list_runs(project)):
            if run.record is not None and place in _Outputs(project, run):
                return project, run
    if not projects:
        raise UsageError(
            f"no run of dpipe wrote `{file}`: none is recorded above it, or here",
            hint="name a file that a sink has written, in its place",
        )
    raise UsageError(
        f"no recorded run wrote `{file}`",
        hint="if it is an input, add --missing; if the record of its run was removed, run the "
        "program again: what is in the journal costs nothing",
    )


def projects_near(file: Path) -> list[Project]:
    """The projects that a file may be of: those above it, then those above where we are."""
    folders = (*file.absolute().parents, Path.cwd(), *Path.cwd().parents)
    found = (Project(folder, folder / ".dpipe") for folder in dict.fromkeys(folders))
    return [project for project in found if project.runs.is_dir()]


class _Outputs:
    """The files of a run: those that its result names, else those that it was to write."""

    def __init__(self, project: Project, run: Run) -> None:
        self._root = project.root
        self._run = run

    def __contains__(self, place: Path) -> bool:
        if not place.name.endswith(PARTIAL):
            return self._has_written(place)
        place = place.with_name(place.name.removesuffix(PARTIAL))
        return not self._has_written(place) and self._was_to_write(place)

    def _has_written(self, place: Path) -> bool:
        if self._run.result is None:
            return False
        names = (*self._run.result.sinks, *self._run.result.rejects)
        files = {real_place(self._absolute(name)) for name in names}
        return not files.isdisjoint([place, *place.parents])

    def _was_to_write(self, place: Path) -> bool:
        for event in read_events(self._run.path):
            if isinstance(event, RunStarted):
                return any(self._might_write(name, place) for name in event.sinks)
        return False

    def _might_write(self, name: str, place: Path) -> bool:
        """Whether a sink with this path, which may have placeholders, writes at a place."""
        path = self._absolute(name)
        if place.name.endswith(".rejects.jsonl"):
            folder = Path(str(path).partition("{.")[0] + "x").parent
            return place.parent == real_place(folder / "x").parent
        shape = _PLACEHOLDER.sub("[^/]+", re.escape(str(real_place(path))))
        return re.fullmatch(f"{shape}(/.*)?", str(place), re.DOTALL) is not None

    def _absolute(self, name: str) -> Path:
        return Path(os.path.normpath(self._root / name))
