"""The key of an endpoint is nowhere but in the requests to it, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.runtime.storm import fated
from tests.server import serving

KEY = "sk-Very+Secret/0123456789=abc"
LOGIN = "s3cret/word+0123456789"
PROGRAM = """dpipe 1

model gen = openai("m", url: env("LLM_URL"), key: secret("LLM_KEY"), concurrency: 32, timeout: 0.3)

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt note(text: str) -> { quote: str, score: 1..10 } { user: "Make a note of this: {text}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""


def forms(secret: str) -> Iterator[bytes]:
    """A secret in every form in which it might stand somewhere."""
    plain = secret.encode()
    yield plain
    yield plain[::-1]
    yield quote(secret).encode()
    yield quote(secret, safe="").encode()
    yield json.dumps(secret).strip('"').replace("/", "\\/").encode()
    yield "".join(f"\\u{ord(char):04x}" for char in secret).encode()
    yield plain.hex().encode()
    for before in range(3):
        # wherever it stands inside a longer text
        encoded = base64.b64encode(b"x" * before + plain)
        yield encoded[(before * 8 + 5) // 6 : (before + len(plain)) * 8 // 6 - 1]


def leaks(folder: Path, *shown: str) -> list[str]:
    """Where a form of the key or of the login stands: files and their names, or what was shown."""
    texts = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts["names"] = " ".join(texts).encode()
    texts["shown"] = " ".join(shown).encode()
    secrets = [*forms(KEY), *forms(LOGIN)]
    return [name for name, text in texts.items() if any(form in text for form in secrets)]


def dpipe(folder: Path, url: str, *args: str) -> str:
    """What a command shows; its exit code does not matter."""
    environ = {**os.environ, "LLM_KEY": KEY, "LLM_URL": url}
    command = [sys.executable, "-m", "dpipe.cli.main", *args]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def project(folder: Path) -> None:
    (folder / "p.dpipe").write_text(PROGRAM)
    rows = "".join(json.dumps(row.row) + "\n" for row in fated(24, seed=3))
    (folder / "in.jsonl").write_text(rows)


def with_login(url: str) -> str:
    return url.replace("://", f"://me:{quote(LOGIN, safe='')}@")


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    for number, form in enumerate([*forms(KEY), *forms(LOGIN)]):
        (tmp_path / str(number)).write_bytes(b"before " + form + b" behind")
    assert len(leaks(tmp_path)) == number + 1


@pytest.mark.parametrize("login", [False, True])
def test_a_storm_leaves_no_key_anywhere(tmp_path: Path, login: bool) -> None:
    project(tmp_path)
    with serving(retry_after="0.01", key=None if login else KEY) as server:
        url = with_login(server.url) if login else server.url
        run = ("run", "p.dpipe", "--canary", "0", "--events", "events.jsonl", "--within", "1.5s")
        shown = [dpipe(tmp_path, url, *run)]
        assert (tmp_path / "events.jsonl").stat().st_size > 1000
        for args in (("explain", "--missing", "in.jsonl:1"), (*run[:4], "--replay")):
            shown.append(dpipe(tmp_path, url, *args))
    assert leaks(tmp_path, *shown) == []


def test_an_endpoint_that_sends_the_key_back_leaks_it_nowhere(tmp_path: Path) -> None:
    """As the text of its reply, and as the fault that it finds."""
    project(tmp_path)
    shown = []
    for status in ("200 OK", "400 Bad", "401 No", "500 Broken"):
        echo = [sys.executable, "-c", ECHO, status]
        with subprocess.Popen(echo, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            shown.append(dpipe(tmp_path, url, "run", "p.dpipe", "--within", "0.5s"))
            server.kill()
    shown.append(dpipe(tmp_path, url, "explain", "--missing", "in.jsonl:1"))
    assert leaks(tmp_path, *shown) == []


def test_an_address_that_cannot_be_reached_is_told_without_its_login(tmp_path: Path) -> None:
    project(tmp_path)
    for url in ("https://127.0.0.1:9/v1", "ftp://host/v1", "http:///v1"):
        shown = dpipe(tmp_path, with_login(url), "run", "p.dpipe", "--within", "0.5s")
        assert leaks(tmp_path, shown) == []


def test_a_run_that_is_killed_leaves_no_key(tmp_path: Path) -> None:
    project(tmp_path)
    with serving(latency=0.02, key=KEY) as server:
        environ = {**os.environ, "LLM_KEY": KEY, "LLM_URL": server.url}
        command = [sys.executable, "-m", "dpipe.cli.main", "run", "p.dpipe"]
        with subprocess.Popen(command, cwd=tmp_path, env=environ) as run:
            while server.stats().total < 20:
                time.sleep(0.01)
            run.send_signal(signal.SIGKILL)
    assert leaks(tmp_path) == []


ECHO = r"""
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["authorization"]
        said = {"quote": f"You sent {key} {key.encode().hex()}", "score": 3}
        message = {"role": "assistant", "content": json.dumps(said), "reasoning": key}
        body = {"choices": [{"message": message, "finish_reason": "stop"}],
                "error": {"message": f"bad {key}", "code": key, "param": "messages"}}
        data = json.dumps(body).encode()
        status, _, reason = sys.argv[1].partition(" ")
        self.send_response(int(status), f"{reason} {key}")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
server.serve_forever()
"""
