"""What stops a run before its rows are through: services that run beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

import trio

from dpipe.runtime.budget import Budget, Stopped
from dpipe.runtime.events import NodeCount
from dpipe.runtime.journal import Journal
from dpipe.runtime.settings import Settings

Counts = Callable[[], Iterable[NodeCount]]

DRAIN = 60.0
"""Seconds that calls under way are waited for when a run is stopped."""
FEWEST = 100
"""Rows of a stage that a share of failures is of, at least: a few early ones tell nothing."""
_LOOK = 0.1


async def stop_in_time(within: float | None, budget: Budget) -> None:
    """Stop the run after so many seconds."""
    if within is not None:
        await trio.sleep(within)
        budget.stop(f"--within {within:g}s is over")


async def stop_for_errors(settings: Settings, counts: Counts, budget: Budget) -> None:
    """Stop the run when more rows failed than ``--max-errors`` allows."""
    while settings.max_errors is not None and not budget.over.is_set():
        await trio.sleep(_LOOK)
        if reason := _too_many(settings, list(counts())):
            told = f"--max-errors {settings.max_errors} is reached: {reason}"
            budget.stop(told, of_failures=True)


def _too_many(settings: Settings, counts: Iterable[NodeCount]) -> str:
    """A share is of the rows of one stage, a number of all; empty where it is kept."""
    all_failed = 0
    for count in counts:
        failed = count.failed
        all_failed += failed
        settled = count.passed + sum(count.reasons.values())
        if isinstance(settings.max_errors, str) and settings.too_many_errors(
            failed, max(settled, FEWEST)
        ):
            return f"`{count.label}` failed {failed} of {settled} rows"
    if isinstance(settings.max_errors, int) and settings.too_many_errors(all_failed, 0):
        return f"{all_failed} rows failed"
    return ""


async def end_when_stopped(
    budget: Budget, journal: Journal, tell: Callable[[str], None]
) -> NoReturn:
    """End a stopped run, with ``Stopped``, when all it has begun is where it can be."""
    await budget.over.wait()
    tell(budget.reason)
    with trio.move_on_after(DRAIN):
        quiet = 0
        while quiet < 2:
            await trio.sleep(_LOOK)
            quiet = quiet + 1 if not budget.in_flight and journal.is_idle else 0
    raise Stopped(budget.reason, of_failures=budget.of_failures)
