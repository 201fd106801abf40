"""``dpipe show``: a program at each step of the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from dpipe.cli import console
from dpipe.cli.program import read_source, row_lines

FORMS = ("tokens", "tree", "types", "graph", "plan")


@click.command(short_help="Print a program as the compiler sees it.")
@click.argument("form", type=click.Choice(FORMS))
@click.argument("file", type=click.Path(path_type=Path))
def command(form: str, file: Path) -> None:
    """Print FILE in one FORM: its tokens, its syntax tree, the row after each stage, its graph,
    the plan of its run.

    Tokens and tree are printed whatever is wrong with the program; the others only where nothing
    is. A plan has params at their defaults, and nothing is opened for it.
    """
    printers = {
        "tokens": _tokens,
        "tree": _tree,
        "types": _types,
        "graph": _graph,
        "plan": _plan,
    }
    for line in printers[form](file):
        console.say(line)


def _tokens(file: Path) -> Iterator[str]:
    from dpipe.lang.show import show_tokens

    yield show_tokens(read_source(file)).rstrip("\n")


def _tree(file: Path) -> Iterator[str]:
    from dpipe.lang.diagnostics import Bag
    from dpipe.lang.parse import parse_module
    from dpipe.lang.show import show_tree

    yield show_tree(parse_module(read_source(file), Bag())).rstrip("\n")


def _types(file: Path) -> Iterator[str]:
    import dpipe
    from dpipe.checking import graph_of

    compiled = dpipe.compile(file)
    graph_of(compiled)
    return row_lines(compiled)


def _graph(file: Path) -> Iterator[str]:
    import msgspec

    import dpipe
    from dpipe.checking import graph_of

    encoded = msgspec.json.encode(graph_of(dpipe.compile(file)))
    yield msgspec.json.format(encoded, indent=2).decode()


def _plan(file: Path) -> Iterator[str]:
    import dpipe
    from dpipe.checking import graph_of
    from dpipe.runtime.outline import outline

    return (console.escape(line) for line in outline(graph_of(dpipe.compile(file))))
