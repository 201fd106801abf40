"""The compiler as one function: text to graph, with everything that is wrong in one run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from dpipe.lang.allow import apply_allows
from dpipe.lang.check import check_program
from dpipe.lang.diagnostics import Bag, Diagnostic
from dpipe.lang.graph import Graph, TestDef
from dpipe.lang.lint import lint_program
from dpipe.lang.modules import Load, load_program
from dpipe.lang.pieces import Pieces
from dpipe.lang.rows import RowAt
from dpipe.lang.source import Source

DEPTH = 50_000
"""Python frames: enough for a chain of two thousand flows or functions."""


class Compiled(Struct, frozen=True):
    """A program's files, findings, the row after each stage; the graph if nothing is wrong.

    ``notes`` are findings that only inform; they are shown to those who ask for them. ``pieces``
    are what each file was read as, by path, for the next time.
    """

    sources: dict[str, Source]
    diagnostics: tuple[Diagnostic, ...]
    rows: tuple[RowAt, ...]
    graph: Graph | None
    tests: tuple[TestDef, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    pieces: Mapping[str, Pieces] = {}


def compile_program(
    file: str, load: Load, std: tuple[str, ...], before: Compiled | None = None
) -> Compiled:
    """Compile the program whose root is ``file``.

    ``load`` gives a file's bytes by its path (``<std>/text.dpipe`` for bundled modules) and
    raises ``OSError``; ``std`` names the bundled modules. Of what was compiled ``before``, be it
    this program or another, the declarations that are still the same are not read again: this
    changes how long it takes, and nothing else.
    """
    with _deep_enough():
        return _compiled(file, load, std, before.pieces if before else {})


@contextmanager
def _deep_enough() -> Iterator[None]:
    """Room for flows that hang on one another: each takes some Python frames of its own."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _compiled(
    file: str, load: Load, std: tuple[str, ...], before: Mapping[str, Pieces]
) -> Compiled:
    bag = Bag()
    program = load_program(file, load, std, bag, before)
    if file not in program.modules:
        return Compiled(program.sources, tuple(bag), (), None, pieces=program.pieces)
    checked = check_program(program, bag)
    lint_program(program, checked, bag)
    found = apply_allows(program, bag)
    return Compiled(
        program.sources,
        tuple(finding for finding in found if finding.severity != "info"),
        checked.rows,
        None if bag.has_errors else checked.graph,
        () if bag.has_errors else checked.tests,
        tuple(finding for finding in found if finding.severity == "info"),
        program.pieces,
    )
