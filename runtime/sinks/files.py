"""Files that appear whole or not at all, one or one a value.

What is written so far stands beside a file's place as ``<name>.partial``, readable. All files of
an output take their names when it is complete; of an output that is not, the partial files stay.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

from dpipe.lang import types
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.paths import inside, safe_name
from dpipe.runtime.render import render
from dpipe.runtime.sinks.base import ManyWriter, Writer
from dpipe.runtime.values import Values

MOST_OPEN = 64
PARTIAL = ".partial"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A disk's refusal as one line."""
    try:
        yield
    except OSError as e:
        raise _refused(path, e) from e


def _refused(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write `{path}`: {(error.strerror or str(error)).lower()}")


def partial_of(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


class PartialFile:
    """A file on its way; opened anew where it was closed to save handles."""

    def __init__(self, path: Path, open_files: OpenFiles, within: Path | None = None) -> None:
        self.path = path
        self.suffix = path.suffix
        self._open_files = open_files
        self._within = within
        with _told(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
            _make_folder(path.parent)
            # Made anew, never opened: a link that lies there would lead the writing elsewhere.
            partial_of(path).unlink(missing_ok=True)
            partial_of(path).open("xb").close()

    def write(self, data: bytes) -> None:
        try:
            self._open_files.of(self).write(data)
        except OSError as e:
            raise _refused(self.path, e) from e

    def beside(self, name: str, data: bytes) -> None:
        """Write a file whose name tells its content, at once; one that is there stays."""
        path = self.path.parent / name
        refuse_outside(path, self._within)
        with _told(path):
            if path.exists():
                return
            _make_folder(path.parent)
            partial_of(path).unlink(missing_ok=True)
            with partial_of(path).open("xb") as made:
                made.write(data)
            os.replace(partial_of(path), path)


def refuse_outside(path: Path, within: Path | None) -> None:
    """Raises ``UsageError`` where a place is not below ``within``, links followed."""
    if within and not inside(path.parent, within):
        raise UsageError(
            f"cannot write `{path}`: a link in it leads outside {within}",
            hint="remove the link, or add --allow-outside",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "its folder is a file", str(folder)) from None


class PartialFolder:
    """A folder whose files are on their way."""

    def __init__(self, path: Path, begin: Callable[[Path], PartialFile]) -> None:
        self.path = path
        self.name = path.name
        self._begin = begin

    def file(self, name: str) -> PartialFile:
        """Begin the file at ``name``, as ``data/train.parquet``."""
        return self._begin(self.path / name)


class OpenFiles:
    """The handles of partial files, at most ``most`` at once: the longest unused is closed."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[PartialFile, BinaryIO] = OrderedDict()

    def of(self, file: PartialFile) -> BinaryIO:
        if (handle := self._open.get(file)) is not None:
            self._open.move_to_end(file)
            return handle
        while len(self._open) >= self._most:
            self._open.popitem(last=False)[1].close()
        handle = self._open[file] = partial_of(file.path).open("ab")
        return handle

    def drop(self, file: PartialFile) -> None:
        if file in self._open:
            self._open.pop(file).close()

    def flush(self) -> None:
        for file, handle in self._open.items():
            with _told(file.path):
                handle.flush()

    def close(self) -> None:
        while self._open:
            file, handle = self._open.popitem()
            with _told(file.path):
                handle.close()


class Output:
    """The files of one sink.

    ``path_of`` gives a file's place from the partition's values, made safe for file names.
    ``previous`` are the files that the sink's earlier run wrote: those that this one does not
    write are removed when it is complete. Below ``within`` every file must lie, links followed.
    ``taken`` are the files of all outputs of a run: none is begun twice.
    With ``folder`` each place is a folder, and the writer is given a ``PartialFolder``.
    Nothing here waits for anything but the disk.
    """

    def __init__(
        self,
        writer: Callable[[Any], Writer],
        path_of: Callable[[Mapping[str, str]], Path],
        partition: tuple[types.Field, ...] = (),
        previous: Iterable[Path] = (),
        within: Path | None = None,
        most_open: int = MOST_OPEN,
        folder: bool = False,
        taken: set[Path] | None = None,
    ) -> None:
        self._taken = set() if taken is None else taken
        self._within = within
        self._folder = folder
        self._writer = writer
        self._path_of = path_of
        self._names = tuple(field.name for field in partition)
        self._previous = tuple(previous)
        self._files = OpenFiles(most_open)
        self._writers: dict[Path, Writer] = {}
        self._begun: list[PartialFile] = []
        self._of: dict[tuple[str, ...], Writer] = {}
        for values in known_partitions(partition):
            self._begin(self._place(values))

    @property
    def paths(self) -> list[Path]:
        """The files or folders that this output has begun, in the order of their first rows."""
        return list(self._writers)

    def put(self, record: Values, row: Values) -> None:
        """Write a record into the file of its row.

        Raises ``Misfit``, or ``NoValue`` where a value of the partition is null; then nothing is
        written, and no file begun.
        """
        values = tuple([render(row.get(name)) for name in self._names]) if self._names else ()
        if (writer := self._of.get(values)) is not None:
            writer.put(record)
        else:
            self._put_first(record, values)

    def put_all(self, records: Sequence[Values]) -> bool:
        """Write many records where there is one file; False as ``Lines.put_all``."""
        if self._names or not (writer := self._of.get(())):
            return False
        return isinstance(writer, ManyWriter) and writer.put_all(records)

    def flush(self) -> None:
        """Make what is written so far readable beside."""
        self._files.flush()

    def complete(self) -> list[Path]:
        """Give all files their names and remove those that are no longer written."""
        self.finish()
        for file in self._begun:
            _settle(file.path)
        for path in self._previous:
            if path not in self._writers and not self._folder:
                remove(path)  # a folder stays, for what others put into it
        return self.paths

    def finish(self) -> None:
        """Let the partial files be complete, under the names that they have."""
        for writer in self._writers.values():
            writer.close()
        self._files.close()

    def abandon(self) -> None:
        """Leave what is written so far in the partial files."""
        self._files.close()

    def _put_first(self, record: Values, values: tuple[str, ...]) -> None:
        """Write the first record of a partition, whose file others may have begun."""
        path = self._place(values)
        if path in self._writers:
            self._writers[path].put(record)
        else:
            try:
                self._begin(path).put(record)
            except Misfit:
                self._give_up(path)
                raise
        self._of[values] = self._writers[path]

    def _place(self, values: tuple[str, ...]) -> Path:
        return self._path_of(dict(zip(self._names, map(safe_name, values), strict=True)))

    def _begin(self, path: Path) -> Writer:
        out = PartialFolder(path, self._file) if self._folder else self._file(path)
        writer = self._writers[path] = self._writer(out)
        return writer

    def _file(self, path: Path) -> PartialFile:
        refuse_outside(path, self._within)
        if path in self._taken:
            raise UsageError(f"two sinks would both write `{path}`", hint="give each its own path")
        file = PartialFile(path, self._files, self._within)
        self._taken.add(path)
        self._begun.append(file)
        return file

    def _give_up(self, path: Path) -> None:
        del self._writers[path]
        for file in [each for each in self._begun if each.path.is_relative_to(path)]:
            self._begun.remove(file)
            self._taken.discard(file.path)
            self._files.drop(file)
            with _told(file.path):
                partial_of(file.path).unlink()


def known_partitions(partition: tuple[types.Field, ...]) -> Iterator[tuple[str, ...]]:
    """The values that have a file even without rows: every combination, where all are enums."""
    members = [field.type.values for field in partition if isinstance(field.type, types.Enum)]
    if len(members) == len(partition):
        yield from product(*members)


def _settle(path: Path) -> None:
    """Give a partial file its name, safely on the disk."""
    partial = partial_of(path)
    with _told(path):
        descriptor = os.open(partial, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial, path)


def remove(path: Path) -> None:
    """Remove a file and its partial one, where they are there."""
    with _told(path):
        path.unlink(missing_ok=True)
        partial_of(path).unlink(missing_ok=True)
