"""How tests ended, as lines and as JSON: what did not hold, and the values that tell why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dpipe.cli import amounts
from dpipe.cli.console import escape

if TYPE_CHECKING:
    from dpipe.runtime.testing import Failure, TestResult
    from dpipe.runtime.values import Reject

ROWS, LINES = 5, 4
"""How many elements of a list are shown, and of each at most how many lines."""


def verdict(result: TestResult, width: int) -> Iterator[str]:
    """A test in a line, and where it failed why."""
    if result.passed:
        yield f"  {click.style('ok', fg='green')}    {escape(result.title)}"
        return
    yield f"  {click.style('FAIL', fg='red', bold=True)}  {escape(result.title)}"
    for failure in result.failures:
        for line in _failure(failure, width - 8):
            yield f"        {line}"
    for line in _rejects(result.rejects, width - 8):
        yield f"        {line}"


def _failure(failure: Failure, width: int) -> Iterator[str]:
    facts = [failure.message] if failure.message else []
    if failure.expect is not None:
        facts.insert(0, f"expect: {failure.expect}")
    yield click.style(escape(str(failure.place)), dim=True)
    for fact in facts:
        yield f"  {click.style(escape(fact), bold=True)}"
    if failure.hint:
        yield f"  {click.style('= help:', fg='cyan')} {failure.hint}"
    texts = max((len(text) for text, _ in failure.values), default=0)
    for text, value in failure.values:
        first, *more = _shown(value, max(width - texts - 6, 20))
        yield f"    {text:{texts}}  {first}"
        yield from (f"    {'':{texts}}  {line}" for line in more)


def _rejects(rejects: Sequence[Reject], width: int) -> Iterator[str]:
    """The rows that could not go on: often the reason why others are missing."""
    if rejects:
        yield f"{amounts.count(len(rejects), 'row')} could not go on:"
    for reject in rejects[:ROWS]:
        why = f"{reject.place}  {reject.stage}: {reject.outcome}: {reject.message}"
        yield f"  {_cut(escape(why), width - 2)}"
    if len(rejects) > ROWS:
        yield f"  … {len(rejects) - ROWS} more"


def _shown(value: Any, width: int) -> list[str]:
    """A value as JSON: in a line where it fits, else a list with each element on its own."""
    text = _as_text(value)
    if len(text) <= width:
        return [text]
    elements = value if isinstance(value, list) else [value]
    shown = [line for element in elements[:ROWS] for line in _wrapped(_as_text(element), width)]
    return shown if len(elements) <= ROWS else [*shown, f"… {len(elements) - ROWS} more"]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, max_lines=LINES, placeholder=" …")


def _as_text(value: Any) -> str:
    return escape(msgspec.json.encode(value).decode())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def summary(results: Sequence[TestResult]) -> str:
    """The last line: how many passed."""
    failed = sum(not result.passed for result in results)
    count = amounts.count(len(results), "test")
    if not failed:
        return click.style(f"{count} passed", fg="green", bold=True)
    return click.style(f"{failed} of {count} failed", fg="red", bold=True)


def as_json(results: Sequence[TestResult]) -> dict[str, Any]:
    """The results with facts in fields; ``version`` is that of this form."""
    failed = sum(not result.passed for result in results)
    return {
        "version": 1,
        "tests": [_test(result) for result in results],
        "summary": {"passed": len(results) - failed, "failed": failed},
    }


def _test(result: TestResult) -> dict[str, Any]:
    return {
        "name": result.title,
        "file": result.place.file,
        "line": result.place.line,
        "passed": result.passed,
        "failures": [_reason(failure) for failure in result.failures],
        "rejects": [
            {
                "place": reject.place,
                "stage": reject.stage,
                "outcome": reject.outcome,
                "message": reject.message,
            }
            for reject in result.rejects
        ],
    }


def _reason(failure: Failure) -> dict[str, Any]:
    return {
        "line": failure.place.line,
        "expect": failure.expect,
        "message": failure.message,
        "help": failure.hint,
        "values": [{"text": text, "value": value} for text, value in failure.values],
    }
