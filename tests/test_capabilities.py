"""docs/capabilities.toml: what it says is shown, and where it says so."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import dpipe
from dpipe.runtime.testing import run_test

ROOT = Path(__file__).parent.parent
ROWS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs/capabilities.toml").read_text("utf-8"))[
    "row"
]
MOST = 6  # rows that one program may stand for


def _named(row: dict[str, Any]) -> list[str]:
    return [*row["shown"], *(defect["shown"] for defect in row.get("defects", ()))]


NAMED = sorted({name for row in ROWS for name in _named(row)})
IN_PROGRAMS = [name for name in NAMED if ".dpipe::" in name]
IN_PYTHON = [name for name in NAMED if ".py::" in name]


@cache
def _program(path: str) -> dpipe.Compiled:
    return dpipe.compile(ROOT / path)


def test_rows_are_there_once_and_in_order() -> None:
    ids = [row["id"] for row in ROWS]
    assert ids == sorted(set(ids))


def test_every_row_is_shown_somewhere() -> None:
    assert [row["id"] for row in ROWS if not row["shown"]] == []
    assert sorted(IN_PROGRAMS + IN_PYTHON) == NAMED


@pytest.mark.parametrize("name", IN_PROGRAMS)
def test_what_a_program_shows_holds(name: str) -> None:
    path, title = name.split("::", 1)
    program = _program(path)
    assert program.graph is not None
    (test,) = (test for test in program.tests if test.title == title)
    assert run_test(program.graph, test).failures == ()


@pytest.mark.parametrize("name", IN_PYTHON)
def test_what_python_shows_is_there(name: str) -> None:
    path, function = name.split("::", 1)
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_program_stands_for_many_rows() -> None:
    rows = ({name.split("::")[0] for name in row["shown"] if ".dpipe::" in name} for row in ROWS)
    count = Counter(path for paths in rows for path in paths)
    assert {path: n for path, n in count.items() if n > MOST} == {}
