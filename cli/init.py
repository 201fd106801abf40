"""``dpipe init``: a program that runs at once, and a text for it to read."""

from __future__ import annotations

from pathlib import Path

import click

from dpipe.cli import console
from dpipe.cli.starter import FILES, PROGRAM, SETTINGS
from dpipe.runtime.errors import UsageError


@click.command(short_help="Write a first program, ready to run.")
@click.argument("folder", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a first program and a text for it into FOLDER (by default, here).

    It runs as it is, with a stand-in for a model that needs no network and no key. A `dpipe.toml`
    makes FOLDER a project, whose journal and runs lie in it. No file that exists is touched.
    """
    from dpipe.runtime.record import find_project
    from dpipe.runtime.settings import FILE

    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise UsageError(
            f"{folder / taken[0]} exists already", hint="name another folder: `dpipe init FOLDER`"
        )
    for name, text in FILES.items():
        _write(folder / name, text)
    if not (folder / FILE).exists():
        _write(folder / FILE, SETTINGS)
    program = folder / PROGRAM
    state = folder / find_project(program).state.name
    console.say(f"answers and runs will be kept in {console.escape(str(state))}")
    shown = console.escape(str(program))
    console.say(f"\nnext: dpipe check {shown}\n      dpipe run {shown}")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    console.say(f"wrote {console.escape(str(file))}")
