"""``dpipe fmt``: programs in the one layout."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from dpipe.cli import amounts, console
from dpipe.cli.program import decoded, read_text, tell_findings

STDIN = "-"
_CANNOT = 2


class _Formatted(Struct):
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


@click.command(short_help="Put programs into the one layout.")
@click.argument("paths", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; list what would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(paths: tuple[str, ...], only_check: bool, diff: bool) -> int:
    """Format programs: PATHS are files, or folders with .dpipe files (by default, here).

    With `-` a program is read from standard input and written to standard output. Exits 0; with
    --check or --diff 1 where something would change; 2 where a program does not parse, which is
    then left as it is.
    """
    texts = list(_texts(paths or (".",)))
    done = [formatted for name, text in texts if (formatted := _formatted(name, text))]
    changed = [each for each in done if each.changed]
    if diff:
        for each in changed:
            console.say(_diff(each))
    elif only_check:
        for each in changed:
            console.say(f"would change {console.escape(each.name)}")
    else:
        _write(done)
    if len(done) < len(texts):
        return _CANNOT
    return int(bool(changed and (only_check or diff)))


def _texts(paths: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The programs by their names."""
    from dpipe.checking import programs_in

    if STDIN in paths:
        if len(paths) > 1:
            raise click.UsageError("`-` stands alone")
        yield STDIN, decoded(sys.stdin.buffer.read(), "<stdin>")
        return
    for file in programs_in(paths):
        yield str(file), read_text(file)


def _formatted(name: str, text: str) -> _Formatted | None:
    """The program in its layout; None where it has none, which is told."""
    from dpipe.lang.format import FormatRefused, format_text
    from dpipe.lang.source import Source

    source = Source("<stdin>" if name == STDIN else name, text)
    try:
        return _Formatted(name, text, format_text(source))
    except FormatRefused as refused:
        if refused.diagnostics:
            tell_findings(refused.diagnostics, {source.file: source}, sys.stderr)
        else:
            console.tell_error(f"`{source.file}` cannot be formatted without changing more of it")
        return None


def _write(done: list[_Formatted]) -> None:
    for each in done:
        if each.name == STDIN:
            console.write(each.after, sys.stdout)
        elif each.changed:
            Path(each.name).write_text(each.after, encoding="utf-8", newline="\n")
            console.say(f"formatted {console.escape(each.name)}")
    if not any(each.changed or each.name == STDIN for each in done) and done:
        console.say(f"{amounts.count(len(done), 'file')} left as {_pronoun(len(done))}")


def _pronoun(count: int) -> str:
    return "it was" if count == 1 else "they were"


def _diff(each: _Formatted) -> str:
    name = console.escape(each.name)
    lines = difflib.unified_diff(
        each.before.splitlines(), each.after.splitlines(), name, name, lineterm="", n=2
    )
    return "\n".join(_coloured(line) for line in lines)


def _coloured(line: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return click.style(line, fg=colours.get(line[:1]))
