from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

PROGRAM = 'dpipe 1\n\nsource docs = text("a.txt")\n\nsink out = docs | jsonl("out.jsonl")\n'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "p.dpipe"
    file.write_text(PROGRAM)
    return file


def test_tokens_have_their_place_and_kind(dpipe: Dpipe, program: Path) -> None:
    lines = dpipe("show", "tokens", program).out.splitlines()
    assert lines[:3] == ["1:1\tDPIPE\t'dpipe'", "1:7\tINT\t'1'", "3:1\tSOURCE\t'source'"]


def test_the_tree_is_indented(dpipe: Dpipe, program: Path) -> None:
    lines = dpipe("show", "tree", program).out.splitlines()
    assert lines[0].startswith("Module ")
    assert lines[1].startswith("  items: SourceItem name=docs ")
    assert lines[2].startswith("    value: Call ")


def test_a_broken_program_still_has_tokens_and_a_tree(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.replace('"a.txt")', '"a.txt"'))
    assert dpipe("show", "tokens", program).code == 0
    assert dpipe("show", "tree", program).code == 0
    graph = dpipe("show", "graph", program)
    assert graph.code == 2
    assert "E0104" in graph.err


def test_the_graph_is_json(dpipe: Dpipe, program: Path) -> None:
    graph = json.loads(dpipe("show", "graph", program).out)
    assert [node["type"] for node in graph["nodes"]] == ["SourceNode", "SinkNode"]


def test_types_are_the_rows(dpipe: Dpipe, program: Path) -> None:
    assert "{ path: str, text: str }" in dpipe("show", "types", program).out


def test_the_plan_tells_tasks_and_where_their_rows_go(dpipe: Dpipe, program: Path) -> None:
    lines = dpipe("show", "plan", program).out.splitlines()
    assert lines[2:4] == ['source docs = text(path: "a.txt", empty: "reject")', "  > out"]
    assert lines[5] == "sink out = jsonl to out.jsonl, rejects to out.rejects.jsonl"


def test_a_program_that_makes_nothing_has_no_plan(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.partition("sink")[0])
    shown = dpipe("show", "plan", program)
    assert shown.code == 2
    assert "no sink" in shown.err
