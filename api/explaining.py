"""Why a record is there, or why an input is not: for ``dpipe explain``."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import trio
from msgspec import Struct

from dpipe import project
from dpipe.checking import graph_of
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.graph import Graph, Place, SourceNode
from dpipe.runtime.assembly import Frame, open_inputs
from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display
from dpipe.runtime.record import Project, Run, RunRecord, list_runs, read_run, resolve_run
from dpipe.runtime.run import RunOptions, frame_of
from dpipe.runtime.settings import load_settings, option_name
from dpipe.runtime.tracing.explaining import Past, explain_input, explain_record
from dpipe.runtime.tracing.facts import Explanation, Fate
from dpipe.runtime.tracing.finding import projects_near, writer_of
from dpipe.runtime.tracing.replay import Heard

SECRET = "***"
"""What a record has in the place of a value that nobody may see."""


def explain(subject: str, *, heard: Heard = lambda counts: None, **settings: Any) -> Explanation:
    """How a record came to be; ``subject`` is ``out/train.jsonl:17``.

    ``settings`` say whose Python may run, and whether files outside the project may be read.
    ``heard`` is told how far it is. Raises ``UsageError``.
    """
    meant = _parsed(subject)
    file, number = meant.file, meant.number
    if not file.exists():
        raise UsageError(f"there is no file `{file}`")
    if file.is_dir():
        raise UsageError(f"`{file}` is a folder", hint="name a file in it, and a record: `…:1`")
    if number is None:
        raise UsageError(f"which record of `{file}`?", hint=f"the first is `{file}:1`")
    home, run = writer_of(file)
    past = past_of(home, run, settings, heard)
    return trio.run(explain_record, past, file, number)


def explain_missing(
    subject: str,
    *,
    run: str | None = None,
    heard: Heard = lambda counts: None,
    **settings: Any,
) -> Fate:
    """What became of a record of an input; ``subject`` is ``data/in.jsonl:17`` or ``data/a.txt``.

    ``run`` names the run that is meant, by its id or the beginning of that; else it is the last
    one that read the file. Otherwise as ``explain``.
    """
    meant = _parsed(subject)
    past = _reader_of(meant, run, settings, heard)
    name = display(meant.file.absolute(), past.project.root)
    return trio.run(explain_input, past, meant.is_at(name), meant.shown(name))


# -- what is meant ---------------------------------------------------------------------------------


class _Meant(Struct, frozen=True):
    """A record by its number, or by what stands behind the file in its place: ``[2]``."""

    file: Path
    number: int | None = None
    tail: str = ""

    def shown(self, name: str) -> str:
        return name + self.tail if self.number is None else f"{name}:{self.number}"

    def is_at(self, name: str) -> Callable[[str], bool]:
        """Whether the place of a row is the one that is meant, ``name`` being the file's: as
        ``a.jsonl:3``, ``a.json[2]``, ``a.pdf page 3``, or all of a document."""
        file, tail = re.escape(name), re.escape(self.tail)
        if self.number is not None:
            n = self.number
            pattern = rf"{file}([^:]*:{n}|.*\[{n - 1}\]| page {n}( .*)?)"
        elif self.tail:
            pattern = f"({file}|{re.escape(str(self.file))}){tail}"
        else:
            pattern = f"{file}( page .*)?"
        return lambda place: re.fullmatch(pattern, place, re.DOTALL) is not None


def _parsed(subject: str) -> _Meant:
    """``out/train.jsonl:17`` as file and number."""
    if Path(subject).exists():
        return _Meant(Path(subject))
    if found := re.fullmatch(r"(.+):(\d+)", subject, re.DOTALL | re.ASCII):
        if int(found[2]) == 0:
            raise UsageError("records and lines are counted from 1")
        return _Meant(Path(found[1]), int(found[2]))
    if found := re.fullmatch(r"(.+?)(\[\d+\]| page \d+.*)", subject, re.DOTALL | re.ASCII):
        return _Meant(Path(found[1]), tail=found[2])
    return _Meant(Path(subject))


# -- the run ---------------------------------------------------------------------------------------


def _reader_of(meant: _Meant, run: str | None, settings: Mapping[str, Any], heard: Heard) -> Past:
    """The run that is named, or the last one that read a file; complete ones go before others."""
    troubles: list[UsageError] = []
    for home in projects_near(meant.file):
        if run is not None:
            return past_of(home, read_run(resolve_run(home, run)), settings, heard)
        for each in _candidates(home):
            try:
                past = past_of(home, each, settings, heard)
                if _reads(past.frame, meant):
                    return past
            except UsageError as trouble:
                troubles.append(trouble)
    if troubles:
        raise troubles[0]
    raise UsageError(
        f"no recorded run read `{meant.file}`",
        hint="if a run wrote it, leave out --missing; if it was read, say when: `--run ID`",
    )


def _candidates(home: Project) -> list[Run]:
    """The last run of each program with the same params, complete ones first."""
    found: dict[str, Run] = {}
    runs = [run for run in list_runs(home) if run.record is not None]
    whole = [run for run in runs if run.status in ("done", "rows lost")]
    for run in (*reversed(whole), *reversed(runs)):
        assert run.record is not None
        found.setdefault(f"{run.record.program} {run.record.params}", run)
    return list(found.values())


def _reads(frame: Frame, meant: _Meant) -> bool:
    """Whether a source of the program reads the file, or is itself what ``texts[3]`` names."""
    real = os.path.realpath(meant.file)
    for index, source in open_inputs(frame).sources.items():
        node = frame.program.nodes[index]
        assert isinstance(node, SourceNode)
        if any(os.path.realpath(each) == real for each in source.files):
            return True
        if meant.tail and str(meant.file) == node.name:
            return True
    return False


def past_of(home: Project, run: Run, settings: Mapping[str, Any], heard: Heard) -> Past:
    """A run with its program as it was, and what today's user lets it do."""
    if run.record is None:
        raise UsageError(f"the record of the run in `{run.path}` cannot be read")
    compiled = _compiled(home, run, run.record)
    frame = _frame(graph_of(compiled), home, run.record, settings)
    return Past(home, run, frame, _lines(compiled), heard)


def _compiled(home: Project, run: Run, record: RunRecord) -> Compiled:
    """The program's text as it was when the run began."""
    kept = {name: run.path / "program" / place for name, place in record.modules.items()}
    root = home.root / record.program
    names = _absolute(list(record.modules), root)

    def load(path: str) -> bytes:
        if path in names:
            return kept[names[path]].read_bytes()
        if path.startswith(project.STD):
            return project.load(path)
        if path.endswith(".py"):
            return project.load(path)
        raise OSError(errno.ENOENT, "it is not in the run's record", path)

    return compile_program(root.as_posix(), load, project.bundled())


def _absolute(names: list[str], root: Path) -> dict[str, str]:
    """The names of the program's files as they were, by their places now.

    Names are as seen from where the run was started; the program's own tells where that was.
    """
    own = next((name for name in names if not name.startswith("<") and _ends(root, name)), "")
    parts = PurePosixPath(own).parts
    ups = sum(part == ".." for part in parts)
    start = PurePosixPath(root.as_posix())
    for _ in parts[ups:]:
        start = start.parent
    start = start.joinpath(*["_"] * ups)
    return {
        name if name.startswith("<") else os.path.normpath(start / name): name for name in names
    }


def _ends(root: Path, name: str) -> bool:
    """Whether a name, its way up aside, is the end of a path."""
    parts = tuple(part for part in PurePosixPath(name).parts if part != "..")
    return root.parts[-len(parts) :] == parts or PurePosixPath(name) == PurePosixPath(root)


def _frame(program: Graph, home: Project, record: RunRecord, settings: Mapping[str, Any]) -> Frame:
    environ = project.environment()
    now = load_settings(home.root, environ, settings, option_name)
    then = record.settings.model_copy(
        update={name: getattr(now, name) for name in ("allow_outside", "allow_python", "trust")}
    )
    given = {name: value for name, value in record.params.items() if value != SECRET}
    options = RunOptions(given, tuple(record.only), then, environ)
    return frame_of(program, options)


def _lines(compiled: Compiled) -> Callable[[Place], str]:
    def line(place: Place) -> str:
        source = compiled.sources.get(place.file)
        lines = source.text.splitlines() if source else []
        return lines[place.line - 1].strip() if place.line <= len(lines) else ""

    return line
