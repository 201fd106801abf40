"""``dpipe explain``: what a code or a built-in name means, or why a row is there or is not."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from dpipe.cli import amounts, console

if TYPE_CHECKING:
    from dpipe.runtime.events import NodeCount
    from dpipe.runtime.tracing.facts import Explanation, Fate

_CODE = re.compile(r"[A-Za-z]\d{4}")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@click.command(short_help="Tell why a row is there, or is not; or what a code or name means.")
@click.argument("subject", metavar="FILE:N|CODE|NAME")
@click.option("--missing", is_flag=True, help="FILE is an input: tell what became of its record.")
@click.option("--run", metavar="ID", help="With --missing, the run that is meant.")
@click.option("--full", is_flag=True, help="Shorten no text, leave no row out.")
@click.option(
    "--format", "style", type=click.Choice(("text", "json")), default="text", help="How to print."
)
@click.option("--json", "style", flag_value="json", help="The same as --format json.")
@click.option(
    "--allow-outside", is_flag=True, default=None, help="Let files outside the project be read."
)
@click.option(
    "--allow-python", is_flag=True, default=None, help="Let the program's own Python run."
)
def command(
    subject: str, missing: bool, run: str | None, full: bool, style: str, **settings: Any
) -> None:
    """Tell where a record of a dataset comes from, or what became of a record of an input.

    `dpipe explain out/train.jsonl:17` tells how the 17th record of a file that a run wrote came to
    be: where its row came from, what each stage did to it, what was asked about it and who
    answered. A rejects file's record works as well.

    `dpipe explain --missing data/in.jsonl:17` tells where the ways of that line ended, and why;
    a document is named alone: `data/a.txt`.

    The run is gone through again from the journal: no model is called, and nothing is written.

    `dpipe explain E0306` tells what the code of `error[E0306]` stands for, `dpipe explain chunk`
    what a stage, function, model, reader, writer or aggregate takes and gives, `dpipe explain if`
    what a word of the language means, `dpipe explain std.text` what a bundled module has.
    """
    if _CODE.fullmatch(subject) and not missing:
        _tell_code(subject.upper())
        return
    if _NAME.fullmatch(subject) and not missing:
        _tell_name(subject)
        return
    if run is not None and not missing:
        raise click.UsageError("--run goes with --missing: the run that wrote a file is known")
    told = _told(subject, run, settings) if missing else _told_record(subject, settings)
    if style == "json":
        console.say(_as_json(told))
        return
    for line in _lines(told, full):
        console.say(line)


# -- rows ------------------------------------------------------------------------------------------


def _told(subject: str, run: str | None, settings: dict[str, Any]) -> Fate:
    from dpipe.explaining import explain_missing

    with _progress() as heard:
        return explain_missing(subject, run=run, heard=heard, **settings)


def _told_record(subject: str, settings: dict[str, Any]) -> Explanation:
    from dpipe.explaining import explain

    with _progress() as heard:
        return explain(subject, heard=heard, **settings)


@contextmanager
def _progress() -> Iterator[Any]:
    """A line on a terminal that tells how far it is, and goes when all is done."""
    shown = sys.stderr.isatty()

    def heard(nodes: tuple[NodeCount, ...]) -> None:
        if shown:
            rows = amounts.count(max(node.entered for node in nodes), "row")
            console.write(f"\r\x1b[2Kgoing through the run again: {rows}", sys.stderr)

    try:
        yield heard
    finally:
        if shown:
            console.write("\r\x1b[2K", sys.stderr)


def _lines(told: Explanation | Fate, full: bool) -> Iterator[str]:
    from dpipe.cli.explained import fate_lines, record_lines
    from dpipe.runtime.tracing.facts import Fate

    if isinstance(told, Fate):
        return fate_lines(told, console.width(), full=full)
    return record_lines(told, console.width(), full=full)


def _as_json(told: Explanation | Fate) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(told, enc_hook=str), indent=2).decode()


# -- names -----------------------------------------------------------------------------------------


def _tell_name(name: str) -> None:
    from dpipe.cli.manual import lines_of, near

    lines = lines_of(name, console.width())
    if lines is None:
        meant = near(name)
        hint = f"; did you mean `{meant}`?" if meant else "; a record of a file is FILE:N"
        raise click.BadParameter(f"nothing built in is called `{name}`{hint}", param_hint="NAME")
    for line in lines:
        console.say(line)


# -- codes -----------------------------------------------------------------------------------------


def _tell_code(code: str) -> None:
    from dpipe.lang.codes import CODES

    found = CODES.get(code)
    if found is None:
        raise click.BadParameter(f"no diagnostic has the code {code}", param_hint="CODE")
    console.say(f"{click.style(code, bold=True)} {found.name} ({found.severity})")
    console.say(page_of(code))


def page_of(code: str) -> str:
    """A code's page without its title: why it is told, an example, and the example mended."""
    from importlib import resources

    page = resources.files("dpipe.lang") / "errors" / f"{code}.md"
    return page.read_text("utf-8").partition("\n")[2].strip()
