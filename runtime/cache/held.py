"""The journal of a project, opened to be looked after; who else may be at it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from dpipe.runtime import stored
from dpipe.runtime.database import Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.locks import hold_journal
from dpipe.runtime.record import Project


@contextmanager
def opened(project: Project, *, make: bool = False) -> Iterator[Database]:
    """The journal, beside whatever runs use it; raises ``UsageError`` where there is none.

    With ``make`` there is one then.
    """
    if not make:
        refuse_missing(project)
    with closing(Database(project.journal)) as database:
        stored.prepare(database)
        yield database


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Keep all runs off the journal; raises ``UsageError`` where one is at it."""
    with hold_journal(project.locks, alone=True):
        yield


def refuse_missing(project: Project) -> None:
    if not project.journal.exists():
        raise UsageError(
            f"`{project.journal}` is not there: no answer has been recorded",
            hint="`--project` takes a program, or a folder of its project",
        )
