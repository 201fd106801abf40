"""Programs as text: compile one, check one or many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from dpipe import project
from dpipe.errors import ProgramError
from dpipe.lang.compile import Compiled, compile_program
from dpipe.runtime.errors import UsageError

if TYPE_CHECKING:
    from dpipe.lang.diagnostics import Diagnostic
    from dpipe.lang.graph import Graph
    from dpipe.lang.source import Source


class CheckResult(Struct, frozen=True):
    """What the checker found in some programs; truthy where it found no error."""

    programs: tuple[Compiled, ...]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every finding once, by file and place, though several programs import its file."""
        return _once(d for program in self.programs for d in program.diagnostics)

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """What is only to be known; it makes no program worse."""
        return _once(d for program in self.programs for d in program.notes)

    @property
    def sources(self) -> dict[str, Source]:
        """The text of every file that was checked, by its name in the diagnostics.

        Of the bundled modules, those with a finding.
        """
        found = {finding.span.file for finding in (*self.diagnostics, *self.notes)}
        return {
            name: source
            for program in self.programs
            for name, source in program.sources.items()
            if name in found or not name.startswith(project.STD)
        }

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def __bool__(self) -> bool:
        return not self.errors

    def __str__(self) -> str:
        from dpipe.lang.render import render

        return render(self.diagnostics, self.sources)


def _once(findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    found = {(finding.code, finding.span): finding for finding in findings}
    return tuple(sorted(found.values(), key=lambda d: (*d.span, d.code)))


def graph_of(compiled: Compiled) -> Graph:
    """A compiled program's graph; raises ``ProgramError`` where it has errors."""
    if compiled.graph is None:
        raise ProgramError(CheckResult((compiled,)))
    return compiled.graph


def compile(path: str | Path, before: Compiled | None = None) -> Compiled:
    """One program, compiled: its graph, or the diagnostics that say why there is none.

    Given what was compiled ``before``, what is still the same is not read again.
    """
    return compile_program(Path(path).as_posix(), project.load, project.bundled(), before)


def check(*paths: str | Path) -> CheckResult:
    """The findings in programs, and in every program of the folders among ``paths``.

    Raises ``UsageError`` where a path does not exist or a folder holds no program.
    """
    programs: list[Compiled] = []
    for file in programs_in(paths):
        programs.append(compile(file, programs[-1] if programs else None))
    return CheckResult(tuple(programs))


def programs_in(paths: Iterable[str | Path]) -> list[Path]:
    """The ``.dpipe`` files that paths name, those of a folder in order of their names."""
    return list(dict.fromkeys(file for path in paths for file in _programs(Path(path))))


def _programs(path: Path) -> Iterator[Path]:
    if not os.path.isdir(path):
        if not os.path.exists(path):
            raise UsageError(f"no file `{path}`", hint=_near(path))
        yield path
        return
    files = [file for file in sorted(path.rglob("*.dpipe")) if not _hidden(file, path)]
    if not files:
        raise UsageError(f"no .dpipe file in `{path}`")
    yield from files


def _hidden(file: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(below).parts)


def _near(path: Path) -> str | None:
    """A hint at the program that was meant, where one beside it has nearly that name."""
    from dpipe.lang.spell import nearest

    if not os.path.isdir(path.parent):
        return None
    files = path.parent.glob("*.dpipe")
    beside = [file.name for file in files if not _hidden(file, path.parent) and file.is_file()]
    name = nearest(path.name, beside) or nearest(f"{path.name}.dpipe", beside)
    return f"did you mean `{path.parent / name}`?" if name else None
