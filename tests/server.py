"""A model server for the tests: the OpenAI wire format on loopback, in a process of its own.

    with serving(latency=0.05) as server:
        ...  # server.url is the base URL, server.stats() what it counted

Every answer is a function of its request and true to its JSON schema; the simulated model makes
it. Markers in a prompt ask for another outcome: ``[[NAME]]`` always, ``[[NAME:2]]`` the first two
times that this message is asked, ``[[NAME:2#ID]]`` the first two times that ID is.

    truncated malformed invalid empty refused refusal filtered     a reply of that kind
    think reasoning html                             thought before the answer, beside it; no JSON
    400 401 404 429 500 503 …                                      that status
    hang drop half                                   no answer, none and closed, half of one

``python tests/server.py --port 8000`` serves by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import httptools
import msgspec

from dpipe.lang import types
from dpipe.runtime.models.hashed_vectors import vector_of
from dpipe.runtime.models.protocol import Message, Request, TextPart
from dpipe.runtime.models.simulated import simulate, tokens_in


class Options(msgspec.Struct, frozen=True):
    """``latency`` is in seconds; ``key`` the one key that is taken (None: any or none).

    ``models`` are the ids that exist (None: all). ``structured`` False answers 400 to a
    ``response_format``. ``retry_after`` goes with 429 and 503. ``chunked`` sends bodies in
    chunks. A connection closes behind ``close_after`` answers, and says so; behind ``drop_after``
    it closes and does not say so.
    """

    latency: float = 0.0
    key: str | None = None
    models: list[str] | None = None
    structured: bool = True
    retry_after: str | None = None
    chunked: bool = False
    close_after: int = 0
    drop_after: int = 0
    certificate: str | None = None


class Stats(msgspec.Struct):
    """``prompts`` counts by the text of all messages, one a line; ``paths`` by the URL's path."""

    total: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    statuses: dict[str, int] = {}
    prompts: dict[str, int] = {}
    paths: dict[str, int] = {}


class Server:
    """A running server, as a test sees it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.url = f"{root}/v1"

    def stats(self) -> Stats:
        with urlopen(f"{self._root}/stats", timeout=10) as reply:
            return msgspec.json.decode(reply.read(), type=Stats)

    def reset(self) -> None:
        with urlopen(HttpRequest(f"{self._root}/reset", method="POST"), timeout=10):
            pass


@contextmanager
def serving(**options: Any) -> Iterator[Server]:
    """A server with these ``Options``, gone when the block ends."""
    encoded = msgspec.json.encode(Options(**options)).decode()
    command = [sys.executable, str(Path(__file__)), "--options", encoded]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.stdout.readline().strip())
        finally:
            process.kill()


# -- what is answered ----------------------------------------------------------------------------

_MARKER = re.compile(r"\[\[(\w+)(?::(\d+))?(?:#([^\]]+))?\]\]")


class Answer(msgspec.Struct):
    """``fate`` is hang, drop or half where the bytes shall not all arrive."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    fate: str | None = None


class Answerer:
    """Turns requests into answers; remembers how often each was asked."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.reset()

    def reset(self) -> None:
        self.prompts: Counter[str] = Counter()
        self._fired: Counter[str] = Counter()

    def answer(self, path: str, authorization: str, body: bytes) -> Answer:
        options = self.options
        if options.key is not None and authorization != f"Bearer {options.key}":
            return _error(401, "Incorrect API key provided", "invalid_api_key")
        if path == "/v1/models":
            data = [{"id": each, "object": "model"} for each in options.models or ["any"]]
            return _json(200, {"object": "list", "data": data})
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return _error(400, "the body is not JSON")
        if options.models is not None and asked.get("model") not in options.models:
            told = f"The model `{asked.get('model')}` does not exist"
            return _error(404, told, "model_not_found")
        if path == "/v1/embeddings":
            return self._embeddings(asked)
        if path in ("/v1/chat/completions", "/v1/completions"):
            return self._completion(asked)
        return _error(404, f"Unknown request URL: POST {path}", "unknown_url")

    def _embeddings(self, asked: dict[str, Any]) -> Answer:
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        self.prompts.update(texts)
        if (fate := self._fate("\n".join(texts))) is not None and fate.isdecimal():
            return self._failure(int(fate))
        data = [
            {"object": "embedding", "index": index, "embedding": vector_of(text)}
            for index, text in enumerate(texts)
        ]
        tokens = sum(map(tokens_in, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        # the order of an answer is what its indices say
        return _json(200, {"object": "list", "data": data[::-1], "usage": usage})

    def _completion(self, asked: dict[str, Any]) -> Answer:
        request = request_of(asked)
        texts = [_text(message) for message in request.messages] or [request.raw or ""]
        self.prompts["\n".join(texts)] += 1
        if asked.get("response_format") and not self.options.structured:
            return _error(400, "Unrecognized request argument supplied: response_format")
        fate = next(filter(None, map(self._fate, texts)), None)
        if fate is not None and fate.isdecimal():
            return self._failure(int(fate))
        return _completed(asked, _without_markers(request), fate)

    def _failure(self, status: int) -> Answer:
        answer = _error(status, f"asked to fail with {status}", "asked", param="messages")
        if self.options.retry_after is not None and status in (429, 503):
            answer.headers = (("retry-after", self.options.retry_after),)
        return answer

    def _fate(self, text: str) -> str | None:
        """What the first marker of a message that still holds asks for."""
        for name, times, id in _MARKER.findall(text):
            key = f"{name}#{id or text}"
            if not times or self._fired[key] < int(times):
                self._fired[key] += 1
                return str(name)
        return None


def request_of(asked: dict[str, Any]) -> Request:
    """The request behind a body; the type of the answer is read from its schema."""
    known = {"model", "messages", "prompt", "response_format"}
    options = {name: value for name, value in asked.items() if name not in known}
    format = asked.get("response_format") or {}
    schema = format.get("json_schema", {}).get("schema")
    result = types.STR if schema is None else type_of(schema)
    messages = tuple(Message(m["role"], _content(m["content"])) for m in asked.get("messages", ()))
    return Request(messages, asked.get("prompt"), result, options)


def type_of(schema: dict[str, Any]) -> types.Type:
    """The type that has this schema, as ``dpipe.runtime.schema`` writes them."""
    if "anyOf" in schema:
        return types.union(map(type_of, schema["anyOf"]))
    if "enum" in schema:
        return types.Enum(tuple(schema["enum"]))
    low, high = schema.get("minimum"), schema.get("maximum")
    match schema.get("type"):
        case "string":
            return types.STR
        case "boolean":
            return types.BOOL
        case "null":
            return types.NULL
        case "integer":
            return types.Int(low, high)
        case "number":
            return types.Float(low, high)
        case "array":
            return types.List(type_of(schema["items"]))
        case "object":
            fields = schema["properties"].items()
            return types.Record(
                tuple(types.Field(name, type_of(s), s.get("description")) for name, s in fields)
            )
        case _:
            return types.JSON


def _completed(asked: dict[str, Any], request: Request, fate: str | None) -> Answer:
    reply = simulate(f"server:{asked.get('model')}", request)
    text, finish, said = _spoilt(reply.text, fate)
    usage = {
        "prompt_tokens": reply.usage.input,
        "completion_tokens": reply.usage.output,
        "total_tokens": reply.usage.input + reply.usage.output,
    }
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if request.raw is None:
        choice["message"] = {"role": "assistant", "content": text, **said}
    else:
        choice["text"] = text
    body = {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}
    answer = _json(200, {**body, "model": asked.get("model")})
    if fate == "html":
        answer.body = b"<html>a proxy in between</html>"
    answer.fate = fate if fate in ("hang", "drop", "half") else None
    return answer


def _spoilt(text: str, fate: str | None) -> tuple[str | None, str, dict[str, Any]]:
    """The text, the finish reason and further fields of a reply with that fate."""
    match fate:
        case "truncated":
            return text[: max(1, len(text) // 2)], "length", {}
        case "malformed":
            return text[: max(1, len(text) - 1)] + ", oops", "stop", {}
        case "invalid":
            return '{"nothing": "that fits"}', "stop", {}
        case "empty":
            return "", "stop", {}
        case "refused":
            return None, "stop", {"refusal": "I will not answer that."}
        case "refusal":
            return "I'm sorry, but I can't help with that.", "stop", {}
        case "filtered":
            return "", "content_filter", {}
        case "think":
            return f"<think>let me see</think>\n{text}", "stop", {}
        case "reasoning":
            return text, "stop", {"reasoning_content": "let me see"}
        case _:
            return text, "stop", {}


def _without_markers(request: Request) -> Request:
    messages = tuple(Message(m.role, _MARKER.sub("", _text(m))) for m in request.messages)
    raw = None if request.raw is None else _MARKER.sub("", request.raw)
    return Request(messages, raw, request.result, request.options)


def _content(content: Any) -> str | tuple[TextPart, ...]:
    if isinstance(content, str):
        return content
    return tuple(TextPart(part["text"]) for part in content if part["type"] == "text")


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _json(status: int, value: Any) -> Answer:
    return Answer(status, msgspec.json.encode(value))


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> Answer:
    return _json(
        status, {"error": {"message": message, "type": "error", "code": code, "param": param}}
    )


# -- how it travels ------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One client's connection: answers its requests one after the other."""

    def __init__(self, answerer: Answerer, stats: Stats) -> None:
        self._answerer = answerer
        self._stats = stats
        self._parser = httptools.HttpRequestParser(self)
        self._served = 0
        self._busy = False
        stats.connections += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._path, self._authorization, self._body = "", "", b""

    def on_url(self, url: bytes) -> None:
        self._path = url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._authorization = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        stats = self._stats
        if self._path == "/stats":
            stats.prompts = self._answerer.prompts
            self._send(_json(200, stats))
            return
        if self._path == "/reset":
            stats.total = stats.max_in_flight = 0
            stats.statuses, stats.paths = {}, {}
            self._answerer.reset()
            self._send(_json(200, {}))
            return
        self._enter()
        answer = self._answerer.answer(self._path, self._authorization, self._body)
        _count(stats.statuses, str(answer.status))
        _count(stats.paths, self._path)
        latency = self._answerer.options.latency
        if answer.fate == "hang":
            return
        if latency:
            asyncio.get_running_loop().call_later(latency, self._finish, answer)
        else:
            self._finish(answer)

    def _finish(self, answer: Answer) -> None:
        self._leave()
        if answer.fate == "drop":
            self._transport.close()
        else:
            self._served += 1
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        options = self._answerer.options
        closing = bool(options.close_after) and self._served >= options.close_after
        body = _chunks(answer.body) if options.chunked else answer.body
        length = (
            "transfer-encoding: chunked"
            if options.chunked
            else f"content-length: {len(answer.body)}"
        )
        lines = [
            f"HTTP/1.1 {answer.status} X",
            "content-type: application/json",
            length,
            *(f"{name}: {value}" for name, value in answer.headers),
            *(["connection: close"] if closing else []),
        ]
        data = "\r\n".join([*lines, "", ""]).encode() + body
        half = answer.fate == "half"
        self._transport.write(data[: len(data) - len(body) // 2] if half else data)
        unannounced = bool(options.drop_after) and self._served >= options.drop_after
        if closing or half or unannounced:
            self._transport.close()

    def _enter(self) -> None:
        self._busy = True
        self._stats.total += 1
        self._stats.in_flight += 1
        self._stats.max_in_flight = max(self._stats.max_in_flight, self._stats.in_flight)

    def _leave(self) -> None:
        self._stats.in_flight -= self._busy
        self._busy = False


def _chunks(body: bytes) -> bytes:
    parts = [body[at : at + 100] for at in range(0, len(body), 100)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _context(certificate: str | None) -> Any:
    if certificate is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def serve(options: Options, port: int) -> None:
    """Print the root URL and serve until killed."""
    answerer, stats = Answerer(options), Stats()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(answerer, stats),
        "127.0.0.1",
        port,
        backlog=4096,
        ssl=_context(options.certificate),
    )
    scheme = "http" if options.certificate is None else "https"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A model server for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--options", default="{}", help="as JSON, see Options")
    given = parser.parse_args()
    asyncio.run(serve(msgspec.json.decode(given.options, type=Options), given.port))


if __name__ == "__main__":
    main()
