from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

UGLY = 'dpipe 1\nsource docs=text( "a.txt" )\nsink out = docs|jsonl("out.jsonl")\n'


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    file = tmp_path / "ugly.dpipe"
    file.write_text(UGLY)
    return file


def test_fmt_writes_the_layout_and_then_leaves_it(dpipe: Dpipe, ugly: Path) -> None:
    first = dpipe("fmt", ugly)
    assert (first.code, first.out) == (0, f"formatted {ugly}\n")
    assert ugly.read_text() != UGLY
    assert 'source docs = text("a.txt")\n' in ugly.read_text()
    second = dpipe("fmt", ugly)
    assert (second.code, second.out) == (0, "1 file left as it was\n")


def test_check_lists_and_writes_nothing(dpipe: Dpipe, ugly: Path) -> None:
    done = dpipe("fmt", "--check", ugly)
    assert (done.code, done.out) == (1, f"would change {ugly}\n")
    assert ugly.read_text() == UGLY


def test_diff_shows_and_writes_nothing(dpipe: Dpipe, ugly: Path) -> None:
    done = dpipe("fmt", "--diff", ugly)
    assert done.code == 1
    assert '\n-source docs=text( "a.txt" )\n' in done.out
    assert '\n+source docs = text("a.txt")\n' in done.out
    assert ugly.read_text() == UGLY


def test_a_dash_reads_and_writes_the_standard_streams(
    dpipe: Dpipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert 'source docs = text("a.txt")\n' in dpipe("fmt", "-").out


def test_a_folder_is_all_its_programs(dpipe: Dpipe, ugly: Path) -> None:
    (ugly.parent / "sub").mkdir()
    (ugly.parent / "sub/other.dpipe").write_text(UGLY)
    (ugly.parent / ".hidden").mkdir()
    (ugly.parent / ".hidden/third.dpipe").write_text(UGLY)
    done = dpipe("fmt", "--check")
    assert done.out == "would change sub/other.dpipe\nwould change ugly.dpipe\n"


def test_a_program_that_does_not_parse_is_left_alone(dpipe: Dpipe, ugly: Path) -> None:
    broken = UGLY.replace('"a.txt" )', '"a.txt"')
    ugly.write_text(broken)
    done = dpipe("fmt", ugly)
    assert done.code == 2
    assert "E0104" in done.err
    assert ugly.read_text() == broken


def test_a_file_that_is_missing_or_no_text_is_one_line(dpipe: Dpipe, tmp_path: Path) -> None:
    assert dpipe("fmt", "no.dpipe").err == "error: no file `no.dpipe`\n"
    (tmp_path / "bytes.dpipe").write_bytes(b"dpipe 1\n\xff")
    done = dpipe("fmt", "bytes.dpipe")
    assert done.code == 2
    assert done.err.startswith("error: `bytes.dpipe` is not UTF-8\n")
