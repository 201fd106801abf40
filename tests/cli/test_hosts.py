"""Whom a command talks to: the endpoints of the program, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.server import serving

WATCH = """
import os, sys

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
                 "socket.bind", "urllib.Request"):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {args[1:] if event != 'socket.getaddrinfo' else args[:2]}\\n")

sys.addaudithook(watch)
"""
PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", key: secret("LLM_KEY"), max_tokens: 50)
model vectors = embedder("v", url: "URL", key: secret("LLM_KEY"))

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt note(text: str) -> { quote: str } { user: "Note this: {text}" }

flow noted = docs
  | dedup(.text, by: embedding(vectors, threshold: 0.99))
  | ask(note, using: vote([gen, gen, gen], on: v -> v.quote), as: .note)
  | keep(.id, .text, quote: .note.quote)

sink out = noted | jsonl("out/notes.jsonl")
sink table = noted | parquet("out/notes.parquet")
"""


def watched(folder: Path, *args: str) -> list[str]:
    """What a command did with the network."""
    log = folder / "watched"
    log.write_text("")
    (folder / "hooks").mkdir(exist_ok=True)
    (folder / "hooks/sitecustomize.py").write_text(WATCH)
    environ = {**os.environ, "PYTHONPATH": str(folder / "hooks"), "WATCHED": str(log)}
    environ |= {"LLM_KEY": "sk-very-secret-0123456789", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    command = [sys.executable, "-m", "dpipe.cli.main", *args]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return log.read_text().splitlines()


def test_a_run_talks_to_its_endpoints_and_nobody_else(tmp_path: Path) -> None:
    rows = (f'{{"id": {at}, "text": "Stone {at} is grey."}}\n' for at in range(5))
    (tmp_path / "in.jsonl").write_text("".join(rows))
    with serving() as server:
        (tmp_path / "p.dpipe").write_text(PROGRAM.replace("URL", server.url))
        assert watched(tmp_path, "check", "p.dpipe") == []
        seen = watched(tmp_path, "run", "p.dpipe")
        port = server.url.split(":")[-1].split("/")[0]
        assert f"socket.connect (('127.0.0.1', {port}),)" in seen
        assert [line for line in seen if f"'127.0.0.1', {port}" not in line] == []
        assert watched(tmp_path, "run", "p.dpipe", "--replay") == []
        assert watched(tmp_path, "explain", "out/notes.jsonl:1") == []
