"""Which answers the project's programs still use: what each one's last runs took and recorded."""

from __future__ import annotations

from dpipe.runtime import stored
from dpipe.runtime.database import Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.record import Project

_AT_ONCE = 50_000 * stored.KEY

_LAST_RUNS = "SELECT program, max(number) FROM runs GROUP BY program"
_LAST_NOTED = "SELECT program, max(run) FROM uses GROUP BY program"


def gather_used(project: Project, database: Database, since: float = 0.0) -> None:
    """Put the keys that are in use into the table ``temp.used``.

    A program that is gone uses nothing, nor do runs before ``since``; what was imported counts as
    used. Raises ``UsageError`` where a program's last run could not say what it used.
    """
    programs = [name for name in _programs(database) if is_there(project, name)]
    _refuse_unknown(database, programs)
    database.rows("DROP TABLE IF EXISTS temp.used")
    database.rows("CREATE TEMP TABLE used (key BLOB PRIMARY KEY) WITHOUT ROWID")
    for program in (*programs, ""):
        query = "SELECT keys FROM uses WHERE program = ? AND at >= ?"
        for (keys,) in database.each(query, (program, since)):
            for at in range(0, len(keys), _AT_ONCE):
                some = sorted(stored.keys_in(keys[at : at + _AT_ONCE]))
                database.many("INSERT OR IGNORE INTO used VALUES (?)", ((key,) for key in some))


def is_there(project: Project, program: str) -> bool:
    return (project.root / program).is_file()


def _programs(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT DISTINCT program FROM runs") if name]


def _refuse_unknown(database: Database, programs: list[str]) -> None:
    noted = dict(database.rows(_LAST_NOTED))
    for program, last in database.rows(_LAST_RUNS):
        if program in programs and noted.get(program, 0) < last:
            raise UsageError(
                f"what `{program}` uses is not known: its last run was killed, or is older than"
                " this dpipe",
                hint="run it to its end first",
            )
