"""``dpipe test``: the tests that stand in programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dpipe.cli import console
from dpipe.cli.program import tell_findings
from dpipe.cli.program_command import Given, given_params
from dpipe.cli.verdict import as_json, summary, verdict

if TYPE_CHECKING:
    from dpipe.lang.compile import Compiled
    from dpipe.runtime.errors import UsageError
    from dpipe.runtime.testing import TestResult

FAILED, UNUSABLE = 1, 2


@click.command(short_help="Run the tests in programs; calls no model, writes nothing.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--filter", "part", metavar="TEXT", help="Run only tests with TEXT in their name.")
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a param.")
@click.option("--allow-python", is_flag=True, default=None, help="Run the programs' own Python.")
@click.option(
    "--format", "style", type=click.Choice(("text", "json")), default="text", help="How to tell."
)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    part: str | None,
    pairs: tuple[str, ...],
    allow_python: bool | None,
    style: str,
) -> int:
    """Run the tests of programs: PATHS are files, or folders with .dpipe files (by default, here).

    A test needs no network and no key. Exits 0 where every test passed, 1 where one failed, and 2
    where a program has errors or there is no test to run.
    """
    import dpipe
    from dpipe.checking import programs_in

    paths = paths or (".",)
    given = given_params(ctx, pairs, None)
    broken: list[Compiled] = []
    results: list[TestResult] = []
    for file in programs_in(paths):
        compiled = dpipe.compile(file)
        if compiled.graph is None:
            broken.append(compiled)
            continue
        found = _run(compiled, part or "", given, allow_python)
        results += found
        if style == "text":
            _tell(file, found)
    if broken:
        _tell_errors(broken)
    elif not results:
        raise _nothing(paths, part)
    if style == "json":
        console.say(json.dumps(as_json(results), indent=2))
    elif results:
        console.say(summary(results))
    if broken:
        return UNUSABLE
    return 0 if all(result.passed for result in results) else FAILED


def _run(
    compiled: Compiled, part: str, given: Given, allow_python: bool | None
) -> list[TestResult]:
    """The results of a program's tests with ``part`` in their names."""
    from dpipe.checking import graph_of
    from dpipe.project import environment
    from dpipe.running import settings_for
    from dpipe.runtime.testing import run_test

    tests = [test for test in compiled.tests if part in test.title]
    if not tests:
        return []
    settings = settings_for(compiled, {"allow_python": allow_python})
    program = graph_of(compiled)
    params = given.of(program)
    return [
        run_test(program, test, params=params, environ=environment(), settings=settings)
        for test in tests
    ]


def _tell(file: Path, results: Sequence[TestResult]) -> None:
    if results:
        console.say(click.style(console.escape(str(file)), bold=True))
    for line in (line for result in results for line in verdict(result, console.width())):
        console.say(line)


def _tell_errors(broken: Sequence[Compiled]) -> None:
    from dpipe.checking import CheckResult

    found = CheckResult(tuple(broken))
    tell_findings(found.errors, found.sources, sys.stderr)


def _nothing(paths: Sequence[str], part: str | None) -> UsageError:
    from dpipe.runtime.errors import UsageError

    where = ", ".join(f"`{path}`" for path in paths)
    if part is None:
        return UsageError(f"no test in {where}", hint='a test is `test "name" { … }`')
    return UsageError(f'no test in {where} has "{part}" in its name')
