"""dpipe as a user gets it: a wheel's files in a folder of their own, far from the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    subprocess.run([ROOT / "scripts/install-copy", target], check=True)
    return target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The quickstart and what it reads, as in a fresh checkout."""
    shutil.copytree(
        ROOT / "examples/quickstart",
        tmp_path / "examples/quickstart",
        ignore=shutil.ignore_patterns("out", ".dpipe"),
    )
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("SPEC.md", "dpipe.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def python(site: Path, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    keep = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env={**keep, "PYTHONPATH": str(site)},
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_copy_is_what_is_imported(site: Path, tmp_path: Path) -> None:
    done = python(site, tmp_path, "-c", "import dpipe; print(dpipe.__file__)")
    assert Path(done.stdout.strip()) == site / "dpipe/__init__.py"


def test_every_module_of_the_repository_is_in_it(site: Path) -> None:
    folders = {"api": ".", "cli": "cli", "lang": "lang", "runtime": "runtime", "stdlib": "stdlib"}
    for folder, inside in folders.items():
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert (site / "dpipe" / inside / file.relative_to(ROOT / folder)).is_file()


def test_the_quickstart_checks_and_runs(site: Path, project: Path) -> None:
    program = "examples/quickstart/quickstart.dpipe"
    check = python(site, project, "-m", "dpipe.cli.main", "check", program)
    assert (check.returncode, check.stderr) == (0, "")

    run = python(site, project, "-m", "dpipe.cli.main", "run", program)
    assert run.returncode == 0, run.stderr
    for part in ("train", "val"):
        lines = (project / f"examples/quickstart/out/{part}.jsonl").read_text().splitlines()
        assert lines
        assert {"instruction", "output"} <= json.loads(lines[0]).keys()
