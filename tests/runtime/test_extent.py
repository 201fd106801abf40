from __future__ import annotations

from pathlib import Path

import pytest

from dpipe.runtime.sources.extent import Extent


@pytest.fixture
def two_files(tmp_path: Path) -> Extent:
    (tmp_path / "a.jsonl").write_bytes(b"123456789\n" * 10)
    (tmp_path / "b:2.jsonl").write_bytes(b"123456789\n" * 30)
    return Extent([tmp_path / "a.jsonl", tmp_path / "b:2.jsonl", tmp_path / "gone"], tmp_path)


def test_a_line_in_a_file_is_placed_by_its_number(two_files: Extent) -> None:
    assert two_files.share == 0
    two_files.reach("a.jsonl:4", b"123456789")
    assert two_files.share == pytest.approx(0.1)
    two_files.reach("b:2.jsonl:10", b"123456789")
    assert two_files.share == pytest.approx(0.5)


def test_a_record_that_is_a_file_ends_it(two_files: Extent) -> None:
    two_files.reach("a.jsonl", "a.jsonl")
    assert two_files.share == 0.25


def test_a_guess_never_goes_beyond_the_file(two_files: Extent) -> None:
    two_files.reach("a.jsonl:900", b"long" * 100)
    assert two_files.share == 0.25


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    nothing = Extent([], tmp_path)
    nothing.reach("rows[3]", b"x")
    assert nothing.share is None
