"""Where the sinks of a run write, and what none of them may write over.

Looks at names, never into a file. What the user must mend is a ``UsageError``, before any call.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from msgspec import Struct

from dpipe.lang.graph import SinkNode, SourceNode, StageNode
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.paths import can_be, inside, safe_name
from dpipe.runtime.sinks.files import PARTIAL, known_partitions, partial_of
from dpipe.runtime.sinks.rejects import rejects_paths

_MARK = "\ue000"
_VALUE = "(?![.])[^/]+"
"""What stands in a path for a value, which ``safe_name`` keeps from the names of hidden files."""
_STATE = (".dpipe", ".git")


class SinkPath(Struct, frozen=True):
    """Where a sink writes: one file, or one a value of the fields in its path.

    ``marked`` has a mark for each field, with its folder's links followed; ``known`` are all the
    places, where the values are those of enums or there are none; ``of`` gives a value's.
    With ``folder`` a place is a folder.
    """

    sink: str
    fields: tuple[str, ...]
    of: Callable[[Mapping[str, str]], Path]
    marked: Path
    known: frozenset[Path]
    folder: bool = False

    @property
    def shown(self) -> Path:
        """The path as the program has it, with its placeholders."""
        return self.of({name: f"{{.{name}}}" for name in self.fields})

    @property
    def above(self) -> Path:
        """The folder before the first placeholder."""
        return Path(str(self.marked).partition(_MARK)[0] + "x").parent

    @property
    def places(self) -> frozenset[Path]:
        """All places, or the one that stands for them."""
        return self.known or frozenset([self.marked])

    def writes(self, file: Path) -> bool:
        """Whether the sink may write at this ``real_place``, or in it, where it writes folders."""
        if self.known:
            return not self.known.isdisjoint([file, *file.parents])
        return self.might_write(file)

    def might_write(self, file: Path) -> bool:
        """Whether it could with values of any kind, as an earlier version of the program had."""
        return re.fullmatch(f"{_shape(str(self.marked))}(/.*)?", str(file), re.DOTALL) is not None


def _shape(marked: str) -> str:
    return _VALUE.join(map(re.escape, marked.split(_MARK)))


def real_place(path: Path) -> Path:
    """The path with the links of its folder followed: where a file of that name is replaced."""
    return Path(os.path.realpath(path.parent), path.name)


def folder_of(node: SourceNode | SinkNode | StageNode) -> Path:
    """What the paths of a node are relative to: the folder of the file in which it is written."""
    return Path(node.place.file).absolute().parent


def sink_path(node: SinkNode, expressions: Expressions, *, folder: bool = False) -> SinkPath | None:
    """Where a sink writes; None for one that writes no file."""
    if node.path is None:
        return None
    text = expressions.over_row(node.path)
    base = folder_of(node)
    names = tuple(field.name for field in node.partition)

    def path_of(values: Mapping[str, str]) -> Path:
        return Path(os.path.normpath(base / text(dict(values))))

    def place(values: Iterable[str]) -> Path:
        path = path_of(dict(zip(names, values, strict=True)))
        if not can_be(str(path)):
            raise UsageError(f"sink `{node.name}` would write {str(path)!r}, which is no path")
        return real_place(path)

    marked = place([_MARK] * len(names))
    known = [place(map(safe_name, values)) for values in known_partitions(node.partition)]
    return SinkPath(node.name, names, path_of, marked, frozenset(known), folder)


class Written(Struct, frozen=True):
    """All that one sink may write: its files, its rejects, and both while they are on their way.

    ``path`` is None where the rows go to the standard output; where ``files`` are, there must
    be no folder.
    """

    sink: str
    path: SinkPath | None
    rejects: Path
    files: frozenset[Path]

    @property
    def places(self) -> frozenset[Path]:
        return self.files | self.path.places if self.path else self.files

    def writes(self, file: Path) -> bool:
        """Whether the sink may write at this ``real_place``, or in it."""
        if file in self.files:
            return True
        names = {str(file), str(file).removesuffix(PARTIAL)}
        return self.path is not None and any(self.path.writes(Path(name)) for name in names)


def all_written(outputs: Mapping[str, SinkPath | Path]) -> list[Written]:
    """What each sink writes, by its path, or by its folder where it writes no file."""
    paths = {name: path for name, path in outputs.items() if isinstance(path, SinkPath)}
    single = {name: path.shown for name, path in paths.items() if not path.fields}
    folders = {name: path.above for name, path in paths.items() if path.fields}
    folders |= {name: path for name, path in outputs.items() if isinstance(path, Path)}
    rejects = rejects_paths(single, folders)
    return [_written(name, paths.get(name), rejects[name]) for name in outputs]


def _written(sink: str, path: SinkPath | None, rejects: Path) -> Written:
    files = {real_place(rejects)}
    if path and not path.folder:
        files |= path.places
    return Written(sink, path, rejects, frozenset(files | {partial_of(file) for file in files}))


# -- what is refused -----------------------------------------------------------------------------


def check_sinks(
    written: Sequence[Written], spared: Mapping[Path, str], root: Path, *, allow_outside: bool
) -> None:
    """Refuse sinks that would write over what is spared, each other, or outside the project.

    ``spared`` tells of each file what it is, as ``which source `docs` reads``.
    """
    for each in written:
        if each.path and not (allow_outside or inside(each.path.above, root)):
            raise UsageError(
                f"sink `{each.sink}` would write `{each.path.shown}`, outside the project {root}",
                hint="write below the project's folder, or add --allow-outside",
            )
    for file, what in spared.items():
        _spare(written, file, what)
    for each in written:
        _spare_state(each, root)
        _refuse_folders(each)
    for one, other in combinations(written, 2):
        _keep_apart(one, other)


def _spare(written: Sequence[Written], file: Path, what: str) -> None:
    places = {real_place(file), Path(os.path.realpath(file))}
    for each in written:
        if any(map(each.writes, places)):
            raise UsageError(
                f"sink `{each.sink}` would write over `{file}`, {what}",
                hint="give the sink another path",
            )


def check_next_run(
    paths: Iterable[SinkPath], sources: Mapping[str, Callable[[Path], bool]]
) -> None:
    """Refuse a sink whose file a source would read the next time, and so be refused then.

    ``sources`` tell whether they would read a file, were it there.
    """
    for path in paths:
        for name, would_read in sources.items():
            if any(map(would_read, path.places)):
                raise UsageError(
                    f"sink `{path.sink}` would write `{path.shown}`, "
                    f"which source `{name}` would read the next time",
                    hint="write it where the source's path does not lead",
                )


def _spare_state(written: Written, root: Path) -> None:
    for place in written.path.places if written.path else ():
        if (name := state_in(place, root)) is not None:
            raise UsageError(
                f"sink `{written.sink}` would write over `{name}`: "
                f"`{written.path and written.path.shown}` lies in it",
                hint="give the sink another path",
            )


def state_in(place: Path, root: Path) -> str | None:
    """The part of a path that is a folder of dpipe's own, or of git's; None without one."""
    parts = Path(os.path.relpath(place, os.path.realpath(root))).parts
    shapes = [_shape(part) for part in parts]
    return next(
        (name for name in _STATE if any(re.fullmatch(shape, name, re.I) for shape in shapes)), None
    )


def _refuse_folders(written: Written) -> None:
    for file in written.files:
        if os.path.isdir(file):
            raise UsageError(
                f"sink `{written.sink}` would write `{file}`, which is a folder",
                hint="give the sink another path, or move the folder",
            )


def _keep_apart(one: Written, other: Written) -> None:
    """Refuse two sinks with a place in common, or one whose file is the other's folder."""
    both = one.places & other.places
    both |= (one.files & _folders(other)) | (other.files & _folders(one))
    if both:
        paths = (each.path for each in (other, one) if each.path and each.path.marked in both)
        path = next(paths, None)
        raise UsageError(
            f"sinks `{one.sink}` and `{other.sink}` would both write "
            f"`{path.shown if path else min(both)}`",
            hint="give each its own path; beside a file `a.jsonl` are `a.rejects.jsonl` for the "
            "rows that fail, and `a.jsonl.partial` until it is complete",
        )


def _folders(written: Written) -> frozenset[Path]:
    return frozenset(folder for place in written.places for folder in place.parents)


def check_sources(
    sources: Mapping[str, Sequence[Path]], root: Path, *, allow_outside: bool
) -> None:
    """Refuse sources outside the project, unless the user lets them."""
    for name, files in sources.items():
        for file in files:
            if not allow_outside and not inside(file, root):
                raise UsageError(
                    f"source `{name}` would read `{file}`, outside the project {root}",
                    hint="move it into the project's folder, or add --allow-outside",
                )
