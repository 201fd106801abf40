"""``dpipe cache``: what is in a project's journal, and what to do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dpipe.cli import console

if TYPE_CHECKING:
    from dpipe.runtime.cache.reports import AnyReport
    from dpipe.runtime.record import Project

F = TypeVar("F", bound=Callable[..., Any])

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Age(click.ParamType[float]):
    """``30d``, as seconds."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        if (found := _AGE.fullmatch(value.strip())) is None:
            self.fail(f"`{value}` is no age: write 12h, 30d or 8w", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


_SHARED = (
    click.option("--json", "style", flag_value="json", help="The same as --format json."),
    click.option(
        "--format",
        "style",
        type=click.Choice(("text", "json")),
        default="text",
        help="How to print.",
    ),
    click.option(
        "--project",
        "folder",
        type=click.Path(exists=True, path_type=Path),
        default=".",
        help="A program of the project, or a folder in it (by default, here).",
    ),
)


def _options(command: F) -> F:
    """The options of every command here."""
    for option in _SHARED:
        command = option(command)
    return command


def _project(folder: Path) -> Project:
    from dpipe.runtime.record import find_project

    return find_project(folder / "_" if folder.is_dir() else folder)


def _tell(report: AnyReport, style: str, lines: Callable[[Any], Iterator[str]]) -> None:
    if style == "json":
        import json

        import msgspec

        # not msgspec's own: a reply may hold half of a surrogate pair
        console.say(json.dumps(msgspec.to_builtins(report), indent=2))
        return
    for line in lines(report):
        console.say(line)


@click.group(
    short_help="Look after the answers that are kept: tell, prune, export, check.",
    invoke_without_command=True,
)
@_options
@click.pass_context
def command(ctx: click.Context, /, folder: Path, style: str) -> None:
    """Look after the journal, in which every reply of a model is kept.

    Without a command, `dpipe cache info`.
    """
    given = {"folder": folder, "style": style}
    ctx.default_map = dict.fromkeys(command.commands, given)
    if ctx.invoked_subcommand is None:
        ctx.invoke(info, **given)


@command.command()
@_options
def info(folder: Path, style: str) -> None:
    """Tell how much is in the journal, of whom, and what it saved."""
    from dpipe.cli.cache_lines import of_info
    from dpipe.runtime.cache import inventory

    _tell(inventory.info(_project(folder)), style, of_info)


@command.command("list")
@click.option("--model", metavar="ID", help="Only answers of this model.")
@click.option("--prompt", metavar="NAME", help="Only answers to this prompt.")
@click.option("--outcome", metavar="NAME", help="Only answers that ended so: ok, refused, …")
@click.option("-n", "most", type=click.IntRange(1), default=20, help="How many (20).")
@_options
def list_(most: int, folder: Path, style: str, **wanted: str | None) -> None:
    """List the newest answers, a line each."""
    from dpipe.cli.cache_lines import of_list
    from dpipe.runtime.cache import answers

    _tell(answers.listing(_project(folder), most=most, **wanted), style, of_list)


@command.command()
@click.argument("key")
@_options
def show(key: str, folder: Path, style: str) -> None:
    """Show one answer with all its attempts; KEY is the beginning of its key.

    The journal holds replies, not prompts.
    """
    from dpipe.cli.cache_lines import of_show
    from dpipe.runtime.cache import answers

    _tell(answers.show(_project(folder), key), style, of_show)


@command.command()
@click.option("--older-than", type=Age(), metavar="AGE", help="Asked before that: 12h, 30d, 8w.")
@click.option("--unused", is_flag=True, help="Not used by the last runs of the programs.")
@click.option("--model", metavar="ID", help="Of this model.")
@click.option("--failed", is_flag=True, help="Failures, also those that rows got over.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@_options
@click.pass_context
def prune(ctx: click.Context, /, folder: Path, style: str, dry_run: bool, **wanted: Any) -> None:
    """Remove the answers of which all that is given holds; the next run that needs one pays again.

    What a program uses is what its last whole run, and each one after it, took from the journal or
    put into it, for every set of params, sinks, sample and seed. With --older-than, runs before
    that do not count. A program that is gone uses nothing.
    """
    from dpipe.cli.cache_lines import of_prune
    from dpipe.runtime.cache import pruning

    if all(value is None or value is False for value in wanted.values()):
        raise click.UsageError(
            "say what is to go: --older-than, --unused, --model or --failed", ctx
        )
    report = pruning.prune(_project(folder), pruning.Wanted(**wanted), dry_run=dry_run)
    _tell(report, style, of_prune)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@_options
def export(file: Path, folder: Path, style: str) -> None:
    """Write all answers to FILE, as lines of JSON: no key and no prompt is in it."""
    from dpipe.cli.cache_lines import of_export
    from dpipe.runtime.cache import carrying

    _tell(carrying.export_to(_project(folder), file), style, of_export)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@_options
def import_(file: Path, folder: Path, style: str) -> int:
    """Take the answers of FILE, an export, that the journal lacks.

    An answer that is there stays, unless it failed and the file's did not. Exits 1 where lines
    were damaged; the others are taken.
    """
    from dpipe.cli.cache_lines import of_import
    from dpipe.runtime.cache import carrying

    report = carrying.import_from(_project(folder), file)
    _tell(report, style, of_import)
    return 1 if report.damaged else 0


@command.command()
@click.option("--repair", is_flag=True, help="Keep what is whole, in a new file.")
@_options
def check(repair: bool, folder: Path, style: str) -> int:
    """Read every entry and verify its checksum. Exits 1 where one is damaged.

    With --repair a damaged journal is made anew of all that is whole, and the damaged file is
    kept beside it.
    """
    from dpipe.cli.cache_lines import of_check
    from dpipe.runtime.cache import mending

    project = _project(folder)
    report = mending.repair(project) if repair else mending.check(project)
    _tell(report, style, of_check)
    return 0 if repair or report.is_whole else 1
