"""How much is in a journal, of whom, and what the project's runs still use of it."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.runtime import stored
from dpipe.runtime.cache.held import opened
from dpipe.runtime.cache.reports import Info, Share, Spent
from dpipe.runtime.cache.uses import gather_used
from dpipe.runtime.database import Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.record import Project, ResultRecord, list_runs

# A failure that a row got over is told by no model; it is no answer.
_LAST = (
    "SELECT key, max(attempt), outcome, model, prompt, at, sum(length(texts)) AS bytes"
    " FROM attempts GROUP BY key HAVING model != ''"
)
_SHARES = "SELECT {}, count(*), sum(outcome != 'ok'), sum(bytes) FROM temp.last GROUP BY 1"
_UNUSED = "SELECT count(DISTINCT key) FROM {} WHERE key NOT IN (SELECT key FROM temp.used)"


def info(project: Project) -> Info:
    """What is in the project's journal; raises ``UsageError`` where there is none."""
    with opened(project) as database:
        database.rows(f"CREATE TEMP TABLE last AS {_LAST}")
        [(answers, oldest, newest)] = database.rows(
            "SELECT count(*), min(at), max(at) FROM temp.last"
        )
        [(attempts, got_over)] = database.rows(
            "SELECT count(*), coalesce(sum(model = ''), 0) FROM attempts"
        )
        [(vectors,)] = database.rows("SELECT count(*) FROM vectors")
        outcomes = database.rows("SELECT outcome, count(*) FROM temp.last GROUP BY 1 ORDER BY 1")
        return Info(
            journal=str(project.journal),
            format=stored.FORMAT,
            bytes=size_of(project),
            answers=answers,
            attempts=attempts - got_over,
            got_over=got_over,
            vectors=vectors,
            oldest=oldest,
            newest=newest,
            unused=_unused(project, database),
            outcomes=dict(outcomes),
            models=tuple(_shares(database, "model")),
            prompts=tuple(_shares(database, "prompt")),
            spent=_spent(project),
        )


def size_of(project: Project) -> int:
    """Bytes of the journal with what lies beside it while it is open."""
    paths = (project.journal, project.journal.with_name(project.journal.name + "-wal"))
    return sum(path.stat().st_size for path in paths if path.exists())


def _shares(database: Database, column: str) -> Iterator[Share]:
    rows = [Share(*row) for row in database.rows(_SHARES.format(column))]
    return iter(sorted(rows, key=lambda share: (-share.answers, share.name)))


def _unused(project: Project, database: Database) -> int | None:
    try:
        gather_used(project, database)
    except UsageError:
        return None
    tables = ("attempts", "vectors")
    return sum(int(database.rows(_UNUSED.format(table))[0][0]) for table in tables)


def _spent(project: Project) -> Spent:
    results = [run.result for run in list_runs(project) if run.result]
    return Spent(
        runs=len(results),
        calls=sum(model.calls for result in results for model in result.models),
        recalled=sum(result.recalled for result in results),
        cost=sum(map(_cost, results)),
        saved=sum(result.recalled * _a_call(results, result) for result in results),
    )


def _cost(result: ResultRecord) -> float:
    return sum(model.cost or 0.0 for model in result.models)


def _a_call(results: list[ResultRecord], result: ResultRecord) -> float:
    """What a call costs in the mean: in that run, or where it made none in all of them."""
    for of in ([result], results):
        calls = sum(model.calls for each in of for model in each.models)
        if calls:
            return sum(map(_cost, of)) / calls
    return 0.0
