from __future__ import annotations

import re
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


def test_what_init_writes_is_a_project_of_its_own(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "dpipe.toml").write_text("seed = 7\n")
    done = dpipe("init", "first")
    assert "answers and runs will be kept in first/.dpipe" in done.out
    assert dpipe("run", "first/starter.dpipe").code == 0
    assert (tmp_path / "first/.dpipe/journal.sqlite").exists()
    assert not (tmp_path / ".dpipe").exists()


def test_init_keeps_the_settings_that_a_folder_has(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "dpipe.toml").write_text("seed = 7\n")
    assert dpipe("init").code == 0
    assert (tmp_path / "dpipe.toml").read_text() == "seed = 7\n"


def test_each_setting_that_init_suggests_is_one(dpipe: Dpipe, tmp_path: Path) -> None:
    dpipe("init")
    text = (tmp_path / "dpipe.toml").read_text()
    suggested = re.sub("(?m)^# (?=[a-z_]+ = )", "", text)
    assert suggested.count("\n# ") < text.count("\n# ")
    (tmp_path / "dpipe.toml").write_text(suggested)
    assert dpipe("run", "starter.dpipe").code == 0
