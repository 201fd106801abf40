from __future__ import annotations

from pathlib import Path

from tests.cli.cli_driver import Dpipe


def test_init_tells_what_it_wrote_and_what_to_do_next(dpipe: Dpipe) -> None:
    done = dpipe("init", "first")
    assert done.code == 0
    assert "wrote first/starter.dpipe" in done.out
    assert "dpipe run first/starter.dpipe" in done.out


def test_init_touches_nothing_that_exists(dpipe: Dpipe, tmp_path: Path) -> None:
    mine = tmp_path / "data/tides.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = dpipe("init")
    assert done.code == 2
    assert "data/tides.md exists already" in done.err
    assert mine.read_text() == "mine"
    assert not (tmp_path / "starter.dpipe").exists()


def test_what_init_writes_is_clean_and_runs(dpipe: Dpipe, tmp_path: Path) -> None:
    dpipe("init")
    assert dpipe("check", "--strict").code == 0
    assert dpipe("fmt", "--check").code == 0
    assert dpipe("run", "starter.dpipe").code == 0
    for part in ("train", "val"):
        assert (tmp_path / f"out/{part}.jsonl").read_text()
