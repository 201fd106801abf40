"""``--events FILE``: a run's events go over nothing but those of an earlier run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

PROGRAM = """dpipe 1

source docs: { text: str } = jsonl("in.jsonl")

sink out = docs | jsonl("out/kept.jsonl")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "p.dpipe").write_text(PROGRAM)
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "typed.jsonl").write_text('{"type": "run_started"}\n')
    return tmp_path / "p.dpipe"


@pytest.mark.parametrize(
    "file",
    ["p.dpipe", "in.jsonl", "notes.txt", "typed.jsonl", "dpipe.toml", ".git", ".dpipe/journal.x"],
)
def test_events_go_over_no_file_of_another_kind(dpipe: Dpipe, program: Path, file: str) -> None:
    Path(".dpipe").mkdir()
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    done = dpipe("run", program, "--events", file)
    assert (done.code, done.out) == (2, "")
    assert f"`--events {file}` would write over" in done.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_events_go_over_those_of_an_earlier_run_and_into_an_empty_file(
    dpipe: Dpipe, program: Path
) -> None:
    Path("e").touch()
    for _ in range(2):
        assert dpipe("run", program, "--events", "e").code == 0
        assert len([line for line in Path("e").read_text().splitlines() if "run_sta" in line]) == 1


@pytest.mark.parametrize("name", ["kept.jsonl", "kept.rejects.jsonl", "kept.jsonl.partial"])
def test_events_go_nowhere_where_a_sink_writes(dpipe: Dpipe, program: Path, name: str) -> None:
    Path("out").mkdir()
    done = dpipe("run", program, "--events", f"out/{name}")
    assert done.code == 2
    assert "sink `out` would write over" in done.err
    assert "where the run's events go" in done.err
    assert not list(Path("out").iterdir())


def test_events_may_go_to_a_device(dpipe: Dpipe, program: Path) -> None:
    assert dpipe("run", program, "--events", "/dev/null").code == 0


def test_a_program_without_sinks_is_told_so_by_a_run_and_is_fine_to_check(
    dpipe: Dpipe, program: Path
) -> None:
    program.write_text(PROGRAM.partition("sink")[0])
    done = dpipe("run", program, "--progress", "plain")
    assert (done.code, done.out) == (2, "")
    assert "the program has no sink" in done.err
    assert dpipe("check", program).code == 0
