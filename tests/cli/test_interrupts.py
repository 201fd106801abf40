"""Ctrl-C while a run does the things that take long; real processes, some on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.server import serving

KEPT = "what was answered is kept: run it again to go on, nothing is paid twice"
PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", concurrency: 100)

source docs: { id: int } = jsonl("in.jsonl")

prompt note(id: int) -> str { user: "Note {id}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""
PURE = """dpipe 1

source docs: { id: int } = jsonl("in.jsonl")

sink out = docs | where(.id % 3 == 0) | set(text: "{.id} and {.id}") | jsonl("out/notes.jsonl")
"""
SLOW = """dpipe 1

source docs: { id: int } = jsonl("in.jsonl")

extern def slow(id: int) -> int = python("own.py:slow"OPTIONS)

sink out = docs | set(n: slow(.id)) | jsonl("out/notes.jsonl")
"""
COMMAND = [sys.executable, "-m", "dpipe.cli.main", "run", "p.dpipe"]


def project(folder: Path, program: str, rows: int = 200) -> None:
    (folder / "p.dpipe").write_text(program)
    (folder / "in.jsonl").write_text("".join(f'{{"id": {at}}}\n' for at in range(rows)))


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, *options], cwd=folder, stdout=pipe, stderr=pipe, text=True
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def wait_for(folder: Path, pattern: str) -> None:
    """Until such a file is there, and holds something."""
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size for path in folder.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupted(run: subprocess.Popen[str], signum: int = signal.SIGINT) -> tuple[str, str]:
    """What it says when it is interrupted, which takes less than two seconds."""
    sent = time.monotonic()
    run.send_signal(signum)
    out, err = run.communicate(timeout=10)
    assert time.monotonic() - sent < 2
    assert "Traceback" not in err
    return " ".join(out.split()), " ".join(err.split())


def test_while_a_big_file_is_read(tmp_path: Path) -> None:
    project(tmp_path, PURE, rows=600_000)
    with running(tmp_path) as run:
        wait_for(tmp_path, "out/*.partial")
        out, _ = interrupted(run)
    assert run.returncode == 130
    assert KEPT in out
    kept = (tmp_path / "out/notes.jsonl.partial").read_bytes()
    assert kept.endswith(b"}\n")
    assert [json.loads(line)["id"] for line in kept.splitlines()[:5]] == [0, 3, 6, 9, 12]


@pytest.mark.parametrize("options", ["", ", concurrency: 4"])
def test_while_a_slow_function_of_the_program_runs(tmp_path: Path, options: str) -> None:
    project(tmp_path, SLOW.replace("OPTIONS", options))
    (tmp_path / "own.py").write_text(
        "import time, pathlib\n"
        "def slow(id):\n    pathlib.Path('began').write_text('x')\n    time.sleep(60)\n"
    )
    with running(tmp_path, "--allow-python") as run:
        wait_for(tmp_path, "began")
        out, err = interrupted(run)
    assert run.returncode == 130
    assert KEPT in out + err


def test_while_another_program_holds_the_journal(tmp_path: Path) -> None:
    with serving(latency=0.05) as server:
        project(tmp_path, PROGRAM.replace("URL", server.url), rows=2000)
        with running(tmp_path) as run:
            wait_for(tmp_path, "out/*.partial")
            with closing(sqlite3.connect(tmp_path / ".dpipe/journal.sqlite")) as other:
                other.isolation_level = None
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.2)
                _, err = interrupted(run)
        assert run.returncode in (2, 130)
        if run.returncode == 2:
            assert "journal.sqlite` is held by another program" in err
        with running(tmp_path) as run:
            assert run.wait(timeout=20) == 0


def test_a_hang_up_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    with serving(latency=600) as server:
        project(tmp_path, PROGRAM.replace("URL", server.url))
        with running(tmp_path) as run:
            while server.stats().total < 20:
                time.sleep(0.01)
            out, _ = interrupted(run, signal.SIGHUP)
    assert run.returncode == 129
    assert KEPT in out


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As ``nohup`` has it, and shells for what they run in the background."""
    with serving(latency=0.5) as server:
        project(tmp_path, PROGRAM.replace("URL", server.url))
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with running(tmp_path) as run:
                signal.signal(signal.SIGHUP, before)
                while server.stats().total < 20:
                    time.sleep(0.01)
                run.send_signal(signal.SIGHUP)
                assert run.wait(timeout=20) == 0
        finally:
            signal.signal(signal.SIGHUP, before)


# -- on a terminal --------------------------------------------------------------------------------


class Terminal:
    """A run on a terminal of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.shown = ""
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(COMMAND[0], [*COMMAND, *options], environ)

    def read_until(self, pattern: str) -> None:
        deadline = time.monotonic() + 20
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            self._read()

    def press_ctrl_c(self) -> None:
        os.write(self._fd, b"\x03")

    def ended(self) -> int:
        """The exit code, once all is read."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def hang_up(self) -> int:
        """Close the terminal; the exit code."""
        os.close(self._fd)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.shown += data.decode()
        return bool(data)


def on_screen(shown: str) -> list[str]:
    """The lines that are left when all that moves and clears has been done."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", shown):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b"):
            count = int(part[2:-1] or 1) if part[2:-1].isdigit() or not part[2:-1] else 0
            match part[-1]:
                case "A":
                    row = max(0, row - count)
                case "K":
                    lines[row] = "" if count == 2 else lines[row][:column]
        else:
            lines[row] = lines[row][:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


def test_on_a_terminal_what_moved_is_gone_and_what_counts_stays(tmp_path: Path) -> None:
    with serving(latency=600) as server:
        project(tmp_path, PROGRAM.replace("URL", server.url))
        terminal = Terminal(tmp_path)
        terminal.read_until(r"100 in flight|in flight")
        before = time.monotonic()
        terminal.press_ctrl_c()
        assert terminal.ended() == 130
        assert time.monotonic() - before < 2
    lines = on_screen(terminal.shown)
    assert "in flight" in terminal.shown
    assert not any("in flight" in line for line in lines)
    assert any("interrupted in" in line for line in lines)
    assert KEPT in " ".join(" ".join(lines).split())
    assert "Traceback" not in terminal.shown


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    project(tmp_path, SLOW.replace("OPTIONS", ""))
    (tmp_path / "own.py").write_text(
        "import time, pathlib\n"
        "def slow(id):\n    pathlib.Path('began').write_text('x')\n    time.sleep(60)\n"
    )
    terminal = Terminal(tmp_path, "--allow-python")
    wait_for(tmp_path, "began")
    terminal.press_ctrl_c()
    time.sleep(0.1)
    before = time.monotonic()
    terminal.press_ctrl_c()
    assert terminal.ended() == 130
    assert time.monotonic() - before < 1


def test_a_terminal_that_is_closed_leaves_a_run_that_can_go_on(tmp_path: Path) -> None:
    with serving(latency=0.1) as server:
        project(tmp_path, PROGRAM.replace("URL", server.url), rows=600)
        terminal = Terminal(tmp_path)
        wait_for(tmp_path, "out/*.partial")
        assert terminal.hang_up() == 129
        with running(tmp_path) as run:
            assert run.wait(timeout=30) == 0
        assert server.stats().total <= 600 + 100
