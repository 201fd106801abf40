"""``dpipe check``: what is wrong with programs, before anything runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from dpipe.cli import console
from dpipe.cli.fixing import fix_files
from dpipe.cli.program import row_lines, tell_findings

if TYPE_CHECKING:
    from dpipe.lang.render import Style

FORMATS: tuple[Style, ...] = ("text", "short", "json", "github", "sarif")


@click.command(short_help="Find mistakes; calls no model, runs nothing.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--types", is_flag=True, help="Print the row after each stage.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--info", is_flag=True, help="Show what is only to be known, too.")
@click.option("--fix", is_flag=True, help="Apply the safe fixes to PATHS first.")
@click.option("--format", "style", type=click.Choice(FORMATS), help="How to print the findings.")
def command(
    paths: tuple[str, ...], types: bool, strict: bool, info: bool, fix: bool, style: Style | None
) -> int:
    """Check programs: PATHS are files, or folders with .dpipe files (by default, here).

    Exits 0 where nothing is wrong and 1 where something is. Warnings alone count only with
    --strict.
    """
    import dpipe

    paths = paths or (".",)
    if fix:
        for line in fix_files(paths):
            console.say(f"fixed {console.escape(line)}", err=True)
    result = dpipe.check(*paths)
    if types:
        for line in (line for compiled in result.programs for line in row_lines(compiled)):
            console.say(line)
        console.say()
    found = (*result.diagnostics, *result.notes) if info else result.diagnostics
    tell_findings(found, result.sources, sys.stdout, style or _usual_format())
    bad = ("error", "warning") if strict else ("error",)
    return int(any(finding.severity in bad for finding in result.diagnostics))


def _usual_format() -> Style:
    on_github = os.environ.get("GITHUB_ACTIONS") == "true" and not sys.stdout.isatty()
    return "github" if on_github else "text"
