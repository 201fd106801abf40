from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dpipe as package
from dpipe.cli import main as cli
from tests.cli.cli_driver import Dpipe

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"rich", "trio", "openai", "lark", "pydantic", "numpy", "pymupdf", "importlib.metadata"}


def test_the_version_is_that_of_the_package(dpipe: Dpipe) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert dpipe("--version").out == f"dpipe {declared}\n"
    assert package.__version__ == declared


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["run", "--help"]])
def test_what_answers_at_once_imports_nothing_heavy(args: list[str]) -> None:
    script = (
        "import sys; from dpipe.cli.main import main; main(sys.argv[1:]);"
        f"print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *args], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


def test_the_face_is_a_dozen_names() -> None:
    assert sorted(package.__all__) == [
        "CheckResult",
        "Compiled",
        "Diagnostic",
        "DpipeError",
        "ProgramError",
        "RunResult",
        "UsageError",
        "__version__",
        "check",
        "compile",
        "run",
        "run_async",
    ]
    assert all(hasattr(package, name) for name in package.__all__)


def test_help_tells_a_newcomer_where_to_start(dpipe: Dpipe) -> None:
    done = dpipe("--help")
    assert done.code == 0
    first = done.out[done.out.index("Start with:") : done.out.index("Then:")]
    listed = [line.split()[0] for line in first.splitlines()[1:] if line]
    assert listed == ["init", "check", "run"]


def test_no_command_shows_the_help(dpipe: Dpipe) -> None:
    done = dpipe()
    assert done.code == 2
    assert "Start with" in done.out + done.err


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(dpipe: Dpipe, name: str) -> None:
    done = dpipe(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: dpipe {name}" in done.out


def test_a_misspelt_command_is_guessed(dpipe: Dpipe) -> None:
    done = dpipe("chekc")
    assert done.code == 2
    assert "'check'" in done.err


def test_a_program_in_the_place_of_a_command_is_understood(dpipe: Dpipe) -> None:
    done = dpipe("qa.dpipe")
    assert done.code == 2
    assert "dpipe run qa.dpipe" in done.err


def test_a_misspelt_option_is_guessed(dpipe: Dpipe) -> None:
    done = dpipe("check", "--stict")
    assert done.code == 2
    assert "--strict" in done.err
    assert "dpipe check --help" in done.err


def test_a_bug_asks_for_a_report_and_keeps_the_traceback(
    dpipe: Dpipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli.app, "main", lambda *_, **__: 1 // 0)
    done = dpipe("check")
    assert done.code == 3
    assert "Traceback" not in done.err
    [saved] = tmp_path.glob("dpipe-bug-*.txt")
    assert str(saved) in done.err
    assert "ZeroDivisionError" in saved.read_text()
