"""What becomes of a command whose output goes nowhere: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dpipe.cli import main as cli
from tests.cli.cli_driver import Dpipe

DPIPE = [sys.executable, "-m", "dpipe.cli.main"]
PROGRAM = """dpipe 1
source docs: { id: int } = jsonl("in.jsonl")
sink out = docs | jsonl("out.jsonl")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "p.dpipe").write_text(PROGRAM)
    (tmp_path / "wrong.dpipe").write_text("dpipe 1\nflow f = g\n")
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    return tmp_path


def unread(folder: Path, *args: str) -> tuple[int, str]:
    """The exit code and the standard error of a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [*DPIPE, *args], cwd=folder, stdout=pipe, stderr=subprocess.PIPE, text=True
        )
    return done.returncode, done.stderr


def full(folder: Path, *args: str) -> tuple[int, str]:
    with Path("/dev/full").open("wb") as device:
        done = subprocess.run(
            [*DPIPE, *args], cwd=folder, stdout=device, stderr=subprocess.PIPE, text=True
        )
    return done.returncode, done.stderr


def test_a_pipe_that_nobody_reads_changes_no_exit_code(project: Path) -> None:
    assert unread(project, "run", "p.dpipe") == (0, "")
    with (project / "in.jsonl").open("a") as file:
        file.write('{"id": "x"}\n')
    assert unread(project, "run", "p.dpipe") == (1, "")
    assert unread(project, "check", "p.dpipe") == (0, "")
    assert unread(project, "check", "wrong.dpipe") == (1, "")


@pytest.mark.parametrize("args", [["run", "p.dpipe"], ["check", "p.dpipe"], ["--help"]])
def test_a_full_device_is_one_line(project: Path, args: list[str]) -> None:
    told = "error: cannot write to the standard output: no space left on device\n"
    assert full(project, *args) == (2, told)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_changes_nothing(project: Path, closed: str) -> None:
    script = f'exec "$0" -m dpipe.cli.main run p.dpipe {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable], cwd=project, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len((project / "out.jsonl").read_bytes().splitlines()) == 2


def test_a_ctrl_c_outside_a_command_exits_130(
    dpipe: Dpipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(error: Exception) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_failed", pressed)
    assert dpipe("runs", "no-such-run").code == 130


def test_a_ctrl_c_after_the_summary_leaves_the_exit_code(project: Path) -> None:
    script = (
        "import atexit, sys, time; from dpipe.cli.main import main;"
        "atexit.register(lambda: (print('leaving', flush=True), time.sleep(0.3)));"
        "sys.argv = ['dpipe', 'check', 'wrong.dpipe']; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "leaving\n":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 1
