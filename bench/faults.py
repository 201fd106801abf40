"""Faults at full size: ``python bench/faults.py [WHAT ...]``.

Each line of the table is one kind of trouble, with what was counted; what must hold is asserted.
The tests of the project do the same in small.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.cli.test_leaks import KEY, leaks  # noqa: E402
from tests.runtime import storm  # noqa: E402
from tests.runtime.cancelling import Course  # noqa: E402
from tests.runtime.programs import Folder  # noqa: E402
from tests.server import Server, serving  # noqa: E402

SEED = 1
PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", key: secret("LLM_KEY"), concurrency: 100, timeout: 5)

source docs: { id: int, text: str } = jsonl("in.jsonl")

type Note = { quote: str, score: 1..10 }

prompt note(text: str) -> Note { user: "Make a note of this: {text}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""


def project(root: Path, url: str, rows: int) -> Folder:
    folder = Folder(root)
    folder.rows("in.jsonl", [{"id": at, "text": f"Stone {at} is grey."} for at in range(rows)])
    folder.write("p.dpipe", PROGRAM.replace("URL", url))
    return folder


def started(root: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dpipe.cli.main", "run", "p.dpipe", "--progress", "none"]
    environ = {**os.environ, "LLM_KEY": KEY}
    return subprocess.Popen(
        [*command, *options],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(run: subprocess.Popen[str], *codes: int) -> str:
    """What a run said that must end with one of these codes."""
    out, err = run.communicate(timeout=600)
    assert run.returncode in codes, (run.returncode, out, err)
    assert "Traceback" not in err
    return out + err


def unbroken(root: Path, url: str, rows: int) -> bytes:
    """The bytes of a run that nothing disturbs."""
    folder = project(root, url, rows)
    ended(started(folder.root), 0)
    return (root / "out/notes.jsonl").read_bytes()


# -- what goes wrong -------------------------------------------------------------------------------


def kills(root: Path) -> str:
    """Twenty SIGKILLs at random instants of 5,000 rows."""
    rows, dice = 5000, Random(SEED)
    with serving(latency=0.05, key=KEY) as server:
        folder = project(root / "broken", server.url, rows)
        for killed in range(20):
            run = started(folder.root)
            until = server.stats().total + dice.randrange(450)
            while run.poll() is None and server.stats().total < until:
                time.sleep(dice.random() * 0.02)
            run.send_signal(signal.SIGKILL)
            run.communicate()
            # a call that is under way is lost with its process, and no other
            assert _asked_again(server) <= 100 * killed
        ended(started(folder.root), 0)
        again, total = _asked_again(server), server.stats().total
        assert again <= 100 * 20
        same = (folder.root / "out/notes.jsonl").read_bytes()
        assert same == unbroken(root / "whole", server.url, rows)
    return (
        f"same bytes; {again:,} of {total:,} calls were asked again, {again / 20:.0f} a kill:"
        f" never more than the 100 that are made at once"
    )


def _asked_again(server: Server) -> int:
    return sum(times - 1 for times in server.stats().prompts.values())


def storms(root: Path) -> str:
    """20,000 rows in a storm of all faults."""
    rows = storm.fated(20_000, SEED)
    folder = Folder(root)
    folder.rows("in.jsonl", [row.row for row in rows])
    with serving(retry_after="0.2", key=KEY) as server:
        text = storm.program(server, places=1000, timeout=1)
        result = folder.run(text, environ={"LLM_KEY": KEY}, canary=0)
        assert result.status == "rows lost"
        storm.check(folder, rows, server)
        total, statuses = server.stats().total, server.stats().statuses
    ends = Counter(row.outcome for row in rows)
    told = ", ".join(f"{count} {outcome}" for outcome, count in ends.most_common())
    return f"{told}; {total:,} calls, {statuses['429']:,} of them 429; each row cost what it must"


def disk_full(root: Path) -> str:
    """A disk that is full at twelve random sizes, then has room."""
    rows, dice, told = 3000, Random(SEED), Counter[str]()
    with serving(key=KEY) as server:
        whole = unbroken(root / "whole", server.url, rows)
        for number in range(12):
            server.reset()
            with small_disk(root / f"disk{number}", dice.randrange(100, 2200)) as grow:
                folder = project(root / f"disk{number}", server.url, rows)
                error = ended(started(folder.root), 2)
                [line] = [line for line in error.splitlines() if line.startswith("error")]
                told["journal" if "journal" in line else "output" if "out" in line else line] += 1
                assert not (folder.root / "out/notes.jsonl").exists()
                grow()
                ended(started(folder.root), 0)
                assert (folder.root / "out/notes.jsonl").read_bytes() == whole
                assert server.stats().total <= rows + 101
    told_where = ", ".join(f"{count} × {where}" for where, count in told.items())
    return f"each one clear line ({told_where}), nothing half-written, same bytes after it"


@contextmanager
def small_disk(root: Path, kib: int) -> Iterator[Callable[[], None]]:
    """A file system of so much; what is given makes it large."""
    root.mkdir()
    options = f"size={kib + 300}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(root)], check=True)
    try:
        yield lambda: _remount(root)
    finally:
        subprocess.run(["umount", str(root)], check=True)


def _remount(root: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=100m", str(root)], check=True)


def silence(root: Path) -> str:
    """A server that stops answering for a minute."""
    return _outage(root, lambda server: server.send_signal(signal.SIGSTOP), 60)


def lost_network(root: Path) -> str:
    """A server that is gone for twenty seconds, its connections with it."""
    return _outage(root, lambda server: server.kill(), 20)


def _outage(root: Path, stop: Callable[[subprocess.Popen[str]], None], seconds: float) -> str:
    rows, port = 3000, _free_port()
    server = Server(f"http://127.0.0.1:{port}")
    process = _serving_at(port)
    try:
        run = started(project(root / "run", server.url, rows).root)
        while server.stats().total < rows // 3:
            time.sleep(0.02)
        began = time.monotonic()
        stop(process)
        time.sleep(seconds)
        if process.poll() is None and seconds > 30:
            process.send_signal(signal.SIGCONT)
        else:
            process.wait()
            process = _serving_at(port)
        ended(run, 0)
        after = time.monotonic() - began - seconds
        written = (root / "run/out/notes.jsonl").read_bytes()
        assert written == unbroken(root / "whole", server.url, rows)
    finally:
        process.kill()
        process.wait()
    return f"no row lost, same bytes; done {after:.0f} s after it answered again"


def _serving_at(port: int) -> subprocess.Popen[str]:
    options = json.dumps({"latency": 0.05, "key": KEY})
    command = [sys.executable, str(ROOT / "tests/server.py"), "--port", str(port)]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, "--options", options], stdout=pipe, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def cancels(root: Path) -> str:
    """A cancel before each step of each task of a small run, in virtual time."""
    course = Course(root)
    whole, instants, steps = course.unbroken()
    last = steps
    for step in range(1, steps):
        try:
            assert course.broken(steps=step) == whole, step
        except AssertionError:
            # behind its last step that matters a run ends, cancelled or not
            assert step > steps - 40, step
            last = step
            break
    return f"{last} steps at {len(instants)} instants: same bytes, no reply asked for again"


WHAT: dict[str, Callable[[Path], str]] = {
    "kills": kills,
    "storm": storms,
    "disk": disk_full,
    "silence": silence,
    "network": lost_network,
    "cancels": cancels,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], help="which lines; all by default")
    given = parser.parse_args()
    print("| what | seconds | result |\n|---|---:|---|", flush=True)
    for name in given.what or WHAT:
        with TemporaryDirectory() as made:
            root, began = Path(made), time.monotonic()
            told = WHAT[name](root)
            assert (found := leaks(root)) == [], found
            shutil.rmtree(root, ignore_errors=True)
            what = (WHAT[name].__doc__ or "").rstrip(".")
            print(f"| {what} | {time.monotonic() - began:.0f} | {told} |", flush=True)
            root.mkdir(exist_ok=True)


if __name__ == "__main__":
    main()
