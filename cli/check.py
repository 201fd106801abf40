"""``dpipe check``: what is wrong with programs, before anything runs."""

from __future__ import annotations

import os
import sys

import click

from dpipe.cli import console

FORMATS = ("text", "short", "json", "github", "sarif")


@click.command(short_help="Find mistakes; calls no model, runs nothing.")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--types", is_flag=True, help="Print the row after each stage.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--format", "style", type=click.Choice(FORMATS), help="How to print the findings.")
def command(paths: tuple[str, ...], types: bool, strict: bool, style: str | None) -> int:
    """Check programs: PATHS are files, or folders with .dpipe files (by default, here).

    Exits 0 where nothing is wrong and 1 where something is. Warnings alone count only with
    --strict.
    """
    import dpipe
    from dpipe.lang.render import render

    result = dpipe.check(*(paths or (".",)))
    style = style or _usual_format()
    if types:
        _print_types(result)
    text = render(
        result.diagnostics, result.sources, style=style, color=console.has_colour(sys.stdout)
    )
    console.say(text.rstrip("\n"))
    return int(bool(result.errors or (strict and result.diagnostics)))


def _usual_format() -> str:
    on_github = os.environ.get("GITHUB_ACTIONS") == "true" and not sys.stdout.isatty()
    return "github" if on_github else "text"
