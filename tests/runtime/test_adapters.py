"""Endpoints that are not OpenAI-compatible, through a program's own adapters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dpipe.runtime.errors import UsageError
from tests.runtime.programs import Folder

PROGRAM = """dpipe 1
model gen = openai(
  "foreign",
  url: "URL/generate?beta=1",
  key: secret("KEY"),
  temperature: 0.5,
  concurrency: 2,
  request: body -> { inputs: body.messages[0].content, heat: body.temperature },
  response: said -> {
    choices: [{ message: { content: said.generated.text }, finish_reason: said.why }],
    usage: { prompt_tokens: int(said.seen), completion_tokens: 2 },
  },
)
source rows: { q: str } = jsonl("rows.jsonl")
prompt say(q: str) -> { a: str } { user: "{q}" }
sink out = rows
  | ask(say, using: gen, as: .x, meta: .m, retry: { truncated: 0 })
  | keep(.q, a: .x.a, seen: .m.input_tokens)
  | jsonl("out/a.jsonl")
"""


class Foreign:
    """Takes ``inputs`` and ``heat``, gives ``generated``; keeps what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[tuple[str, str | None, Any]] = []

    def answer(self, body: Any) -> tuple[int, Any]:
        text = body["inputs"].splitlines()[0]
        if text == "odd":
            return 200, {"result": "of another shape"}
        why = "length" if text == "long" else "stop"
        return 200, {"generated": {"text": json.dumps({"a": text.upper()})}, "why": why, "seen": 7}


@contextmanager
def serving() -> Iterator[Foreign]:
    foreign = Foreign()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            foreign.sent.append((self.path, self.headers["authorization"], body))
            status, said = foreign.answer(body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody listens."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        foreign.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield foreign
        finally:
            server.shutdown()
            thread.join()


def run(project: Folder, foreign: Foreign, **options: Any) -> Any:
    program = PROGRAM.replace("URL", foreign.url)
    return project.run(program, environ={"KEY": "k-123"}, **options)


def test_a_foreign_endpoint_answers_through_its_adapters(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"q": "one"}, {"q": "two"}])
    with serving() as foreign:
        run(project, foreign)
        assert project.read("out/a.jsonl") == [
            {"q": "one", "a": "ONE", "seen": 7},
            {"q": "two", "a": "TWO", "seen": 7},
        ]
        for path, key, body in foreign.sent:
            assert path == "/generate?beta=1"
            assert key == "Bearer k-123"
            assert set(body) == {"inputs", "heat"}
            assert body["heat"] == 0.5
            assert "JSON schema" in body["inputs"]
        calls = len(foreign.sent)
        run(project, foreign)
        assert len(foreign.sent) == calls, "what was answered is not asked again"
    assert run(project, foreign, replay=True).status == "done"


def test_replies_that_do_not_fit_the_adapter_are_told_and_cost_no_second_call(
    tmp_path: Path,
) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"q": "odd"}, {"q": "long"}, {"q": "one"}])
    with serving() as foreign:
        run(project, foreign)
    assert [row["q"] for row in project.read("out/a.jsonl")] == ["one"]
    rejects = project.read("out/a.rejects.jsonl")
    assert [reject["outcome"] for reject in rejects] == ["rejected_request", "truncated"]
    assert rejects[0]["message"].startswith("`response:` has no value: ")
    assert len(foreign.sent) == 3


WAITING = """dpipe 1
extern def wire(body: json) -> json = python("own.py:wire", record: true)
model gen = openai("foreign", url: "http://127.0.0.1:9/x", request: body -> wire(body))
source rows: { q: str } = jsonl("rows.jsonl")
prompt say(q: str) -> { a: str } { user: "{q}" }
sink out = rows | ask(say, using: gen, as: .x) | jsonl("out/a.jsonl")
"""


def test_python_that_is_waited_for_is_no_adapter(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"q": "odd"}])
    project.write("own.py", "def wire(body: object) -> object:\n    return body\n")
    with pytest.raises(UsageError, match="calls Python that is waited for"):
        project.run(WAITING, allow_python=True)


OWN = """dpipe 1
extern def letters(texts: [str]) -> [[float]] = python("own.py:letters")
model own = embedder("letters", embed: texts -> letters(texts))
source rows: { q: str } = jsonl("rows.jsonl")
sink out = rows | embed(.q, using: own, as: .v) | jsonl("out/a.jsonl")
"""
LETTERS = """
CALLS = []


def letters(texts):
    with open("FOLDER/calls", "a") as calls:
        calls.write(f"{len(texts)} ")
    if "bad" in texts:
        return [[1.0]]
    return [[float(text.count(letter)) for letter in LETTERS] for text in texts]
"""


def test_a_function_gives_vectors_once_until_it_is_changed(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"q": "abba"}, {"q": "cab"}])
    python = LETTERS.replace("FOLDER", str(tmp_path))
    project.write("own.py", python.replace("LETTERS", '"ab"'))
    project.run(OWN, allow_python=True)
    project.run(OWN, allow_python=True)
    assert [row["v"] for row in project.read("out/a.jsonl")] == [[2, 2], [1, 1]]
    assert (tmp_path / "calls").read_text() == "2 "
    project.write("own.py", python.replace("LETTERS", '"abc"'))
    project.run(OWN, allow_python=True)
    assert [row["v"] for row in project.read("out/a.jsonl")] == [[2, 2, 0], [1, 1, 1]]
    assert (tmp_path / "calls").read_text() == "2 2 "


def test_a_function_without_a_vector_for_a_text_rejects_that_row_alone(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"q": "abba"}, {"q": "bad"}, {"q": "cab"}])
    python = LETTERS.replace("FOLDER", str(tmp_path)).replace("[[1.0]]", "[]")
    project.write("own.py", python.replace("LETTERS", '"ab"'))
    project.run(OWN, allow_python=True)
    assert [row["q"] for row in project.read("out/a.jsonl")] == ["abba", "cab"]
    [reject] = project.read("out/a.rejects.jsonl")
    assert reject["message"] == "`embed:` gave 0 vectors for 1 texts"
