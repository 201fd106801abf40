"""A run that is killed at any instant goes on: nothing is paid twice, no byte is different."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.runtime.programs import Folder
from tests.server import Server, serving

ROWS, AT_ONCE = 2000, 100

PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", concurrency: 100)

source docs: { id: int, text: str } = jsonl("in.jsonl")

type Note = { quote: str, score: 1..10 }

prompt note(text: str) -> Note { user: "Make a note of this: {text}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""

RUN = """
import sys
from pathlib import Path
from tests.runtime.programs import Folder

result = Folder(Path(sys.argv[1])).run((Path(sys.argv[1]) / "main.dpipe").read_text())
sys.exit(result.exit_code)
"""


@contextmanager
def running(folder: Folder) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", RUN, str(folder.root)]
    with subprocess.Popen(command, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def project(root: Path, server: Server) -> Folder:
    folder = Folder(root)
    folder.rows("in.jsonl", [{"id": at, "text": f"Stone {at} is grey."} for at in range(ROWS)])
    folder.write("main.dpipe", PROGRAM.replace("URL", server.url))
    return folder


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    with serving(latency=0.05) as server:
        broken = project(tmp_path / "broken", server)
        with running(broken) as process:
            while server.stats().total < ROWS // 2:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        assert (broken.root / "out/notes.jsonl.partial").exists()
        assert not (broken.root / "out/notes.jsonl").exists()
        assert server.stats().total < ROWS
        with running(broken) as process:
            assert process.wait() == 0
        counts = server.stats()
        assert counts.max_in_flight == AT_ONCE
        assert ROWS <= counts.total <= ROWS + AT_ONCE
        assert len(counts.prompts) == ROWS
        assert max(counts.prompts.values()) <= 2

        whole = project(tmp_path / "whole", server)
        with running(whole) as process:
            assert process.wait() == 0
    written = (broken.root / "out/notes.jsonl").read_bytes()
    assert written == (whole.root / "out/notes.jsonl").read_bytes()
    notes = broken.read("out/notes.jsonl")
    assert [note["id"] for note in notes] == list(range(ROWS))
    assert all(f"Stone {note['id']} is" in note["note"]["quote"] for note in notes)
