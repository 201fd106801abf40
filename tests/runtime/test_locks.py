"""Locks of outputs, which die with their process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.locks import Lock, hold_outputs, is_held

HOLDER = """
import sys, time
from pathlib import Path
from dpipe.runtime.locks import hold_outputs

with hold_outputs(Path(sys.argv[1]), map(Path, sys.argv[2:])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path


def hold(project: Path, *names: str) -> AbstractContextManager[None]:
    return hold_outputs(project / "locks", [project / name for name in names])


def holder(project: Path, *names: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLDER, project / "locks", *(project / n for n in names)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_run_onto_an_output_is_refused_with_the_first_ones_process(project: Path) -> None:
    with holder(project, "a.jsonl", "b.jsonl") as process:
        with pytest.raises(UsageError) as caught, hold(project, "b.jsonl", "c.jsonl"):
            raise AssertionError("both hold it")
        process.communicate()
    output = project / "b.jsonl"
    assert caught.value.message == f"another run writes `{output}` (process {process.pid})"


def test_a_refused_run_holds_none_of_its_outputs(project: Path) -> None:
    with hold(project, "b"):
        with pytest.raises(UsageError), hold(project, "a", "b"):
            raise AssertionError("both hold it")
        with hold(project, "a"):
            pass


def test_a_lock_dies_with_its_process(project: Path) -> None:
    with holder(project, "a.jsonl") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold(project, "a.jsonl"):
            pass


def test_other_outputs_are_free(project: Path) -> None:
    with hold(project, "a.jsonl"), hold(project, "b.jsonl"):
        pass


def test_two_runs_of_one_process_exclude_each_other(project: Path) -> None:
    mine = f"process {os.getpid()}"
    with hold(project, "a"), pytest.raises(UsageError, match=mine), hold(project, "a"):
        raise AssertionError("both hold it")
    with hold(project, "a"):
        pass


def test_one_file_under_two_names_is_one_output(project: Path) -> None:
    (project / "link").symlink_to(project)
    with hold(project, "a", "x/../a"), pytest.raises(UsageError), hold(project, "link/a"):
        raise AssertionError("both hold it")


def test_a_lock_tells_whether_it_is_held(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert not is_held(lock.path)
    assert lock.take()
    assert is_held(lock.path)
    assert lock.holder() == os.getpid()
    lock.release()
    assert not is_held(lock.path)


def test_a_folder_that_cannot_hold_locks_is_told(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written: File exists"), hold(tmp_path, "a"):
        raise AssertionError("held without a lock")
