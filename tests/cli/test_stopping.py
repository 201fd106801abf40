"""A run that somebody stops: real signals to a real process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import Server, serving

ROWS, AT_ONCE = 100, 5
PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", concurrency: 5)

source docs: { id: int } = jsonl("in.jsonl")

prompt note(id: int) -> str { user: "Note {id}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "dpipe.cli.main", "run", "p.dpipe", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def project(folder: Path, url: str) -> None:
    (folder / "p.dpipe").write_text(PROGRAM.replace("URL", url))
    rows = (json.dumps({"id": at}) for at in range(ROWS))
    (folder / "in.jsonl").write_text("\n".join(rows))


def wait_for(server: Server, calls: int) -> None:
    deadline = time.monotonic() + 20
    while server.stats().total < calls:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_within_two_seconds_and_a_later_run_goes_on(
    tmp_path: Path, signum: int, code: int
) -> None:
    with serving(latency=0.05) as server:
        project(tmp_path, server.url)
        with running(tmp_path) as run:
            wait_for(server, 30)
            sent = time.monotonic()
            run.send_signal(signum)
            out, err = run.communicate(timeout=10)
            assert time.monotonic() - sent < 2
        assert (run.returncode, err) == (code, "")
        assert out.startswith("p.dpipe: interrupted in ")
        assert "interrupted; what was answered is kept: run it again to go on" in out
        kept = (tmp_path / "out/notes.jsonl.partial").read_text().splitlines()
        assert [json.loads(line)["id"] for line in kept] == list(range(len(kept)))
        assert len(kept) > 10
        assert not (tmp_path / "out/notes.jsonl").exists()
        with running(tmp_path) as run:
            assert run.wait(timeout=20) == 0
        counts = server.stats()
        assert counts.total <= ROWS + 2 * AT_ONCE
    assert len((tmp_path / "out/notes.jsonl").read_text().splitlines()) == ROWS


def test_calls_that_hang_do_not_hold_up_an_interrupt(tmp_path: Path) -> None:
    with serving(latency=600) as server:
        project(tmp_path, server.url)
        with running(tmp_path) as run:
            wait_for(server, AT_ONCE)
            sent = time.monotonic()
            run.send_signal(signal.SIGINT)
            assert run.wait(timeout=10) == 130
            assert time.monotonic() - sent < 2


BUSY = """
import signal, sys, time
import dpipe
from dpipe.runtime.events import Progress

def busy(event):
    if isinstance(event, Progress):
        print("busy", flush=True)
        while True:
            time.sleep(0.01)

dpipe.run("p.dpipe", observers=[busy], progress="none")
"""


def test_a_second_signal_ends_a_run_at_once_whatever_it_does(tmp_path: Path) -> None:
    with serving(latency=600) as server:
        project(tmp_path, server.url)
        command = [sys.executable, "-c", BUSY]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "busy\n"
            run.send_signal(signal.SIGINT)
            time.sleep(0.2)
            assert run.poll() is None
            sent = time.monotonic()
            run.send_signal(signal.SIGINT)
            assert run.wait(timeout=10) == 130
            assert time.monotonic() - sent < 1


def test_a_budget_ends_a_run_with_4_and_says_how_to_go_on(tmp_path: Path) -> None:
    with serving(latency=0.05) as server:
        project(tmp_path, server.url)
        with running(tmp_path, "--within", "0.5s", "--max-tokens", "100000") as run:
            out, err = run.communicate(timeout=20)
        assert run.returncode == 4
        assert err == "stopping: --within 0.5s is over; waiting for what is under way\n"
        assert out.startswith("p.dpipe: stopped in ")
        assert "--within 0.5s is over; what was answered is kept: run it again" in out


# -- a disk that takes no more -------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [90, 200])
def test_a_disk_that_takes_no_more_is_one_line_and_a_later_run_goes_on(
    tmp_path: Path, blocks: int
) -> None:
    project(tmp_path, "simulated:")
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {at}}}\n' for at in range(3000)))
    command = f"ulimit -f {blocks}; exec {sys.executable} -m dpipe.cli.main run p.dpipe"
    full = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (full.returncode, full.stdout) == (2, "")
    [line] = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "journal.sqlite" in line or "notes.jsonl" in line
    assert "Traceback" not in full.stderr
    assert not (tmp_path / "out/notes.jsonl").exists()
    with running(tmp_path) as run:
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert "from the journal" in out
    assert len((tmp_path / "out/notes.jsonl").read_text().splitlines()) == 3000


def test_a_place_that_cannot_be_written_is_told_before_any_call(tmp_path: Path) -> None:
    with serving() as server:
        project(tmp_path, server.url)
        (tmp_path / ".dpipe").write_text("a file in the way")
        with running(tmp_path) as run:
            out, err = run.communicate(timeout=20)
        assert (run.returncode, out) == (2, "")
        assert err.startswith("error: `")
        assert "cannot be written" in err
        assert server.stats().total == 0
    assert not (tmp_path / "out").exists()
