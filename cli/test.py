"""``dpipe test``: the tests that stand in programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from dpipe.cli import console
from dpipe.cli.program import tell_findings
from dpipe.cli.verdicts import as_json, lines_of, summary

if TYPE_CHECKING:
    from dpipe.lang.compile import Compiled
    from dpipe.runtime.testing import TestResult

FAILED, UNUSABLE = 1, 2


class Suite(Struct, frozen=True):
    """A program with the results of its tests."""

    file: str
    results: tuple[TestResult, ...]


@click.command(short_help="Run the tests in programs; calls no model, writes nothing.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--filter", "wanted", metavar="TEXT", help="Run only tests with TEXT in their title.")
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a param.")
@click.option("--allow-python", is_flag=True, default=None, help="Run the programs' own Python.")
@click.option(
    "--format", "style", type=click.Choice(("text", "json")), default="text", help="How to tell."
)
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    wanted: str | None,
    pairs: tuple[str, ...],
    allow_python: bool | None,
    style: str,
) -> int:
    """Run the tests of programs: PATHS are files, or folders with .dpipe files (by default, here).

    A test needs no network and no key. Exits 0 where all tests passed, 1 where one failed, and 2
    where a program has errors or there is no test to run.
    """
    import dpipe
    from dpipe.checking import CheckResult, programs_in
    from dpipe.cli.program_command import given_params

    paths = paths or (".",)
    params = given_params(ctx, pairs, None)
    suites: list[Suite] = []
    broken: list[Compiled] = []
    for file in programs_in(paths):
        compiled = dpipe.compile(file)
        if compiled.graph is None:
            broken.append(compiled)
            continue
        results = _results(compiled, wanted, params, allow_python)
        suites.append(Suite(str(file), results))
        if style == "text":
            _tell(suites[-1])
    suites = [suite for suite in suites if suite.results]
    if broken:
        found = CheckResult(tuple(broken))
        tell_findings(found.diagnostics, found.sources, sys.stderr)
    elif not suites:
        raise _nothing(paths, wanted)
    results = [result for suite in suites for result in suite.results]
    console.say(as_json(suites) if style == "json" else summary(results))
    if broken:
        return UNUSABLE
    return 0 if all(result.passed for result in results) else FAILED
