"""The transport against servers that do what real ones do, and what none should."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import pytest
import trio

from dpipe.runtime.errors import EndpointRefused
from dpipe.runtime.models import connection
from dpipe.runtime.models.protocol import Reply, Unavailable
from dpipe.runtime.secrets import Secret
from tests.runtime.openai_models import KEY, asking, model_of, over_the_sdk

BODY = b'{"choices": [{"message": {"content": "Stone is grey."}, "finish_reason": "stop"}]}'
Stream: TypeAlias = trio.abc.Stream
Handler: TypeAlias = Callable[[Stream], Awaitable[None]]
ROADS = pytest.mark.parametrize("road", [lambda model: model, over_the_sdk], ids=["fast", "sdk"])


async def request_from(stream: Stream) -> bytes:
    """A whole request; empty where the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := await stream.receive_some(65536)):
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += await stream.receive_some(65536)
    return head + b"\r\n\r\n" + body


@asynccontextmanager
async def speaking(handler: Handler, *, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server that does this to each connection; its base URL."""

    async def served(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await handler(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        nursery.start_soon(trio.serve_listeners, served, [listener])
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listener.socket.getsockname()[1]}/v1"
        nursery.cancel_scope.cancel()


async def always(answer: bytes, stream: Stream) -> None:
    """Answer each request with these bytes."""
    while await request_from(stream):
        await stream.send_all(answer)


async def once(answer: bytes, stream: Stream) -> None:
    """Answer one request, and close."""
    await request_from(stream)
    await stream.send_all(answer)


def answer(
    *headers: str, body: bytes = BODY, version: str = "1.1", status: str = "200 OK"
) -> bytes:
    lines = [f"HTTP/{version} {status}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def sized(body: bytes = BODY, *headers: str) -> bytes:
    return answer(f"content-length: {len(body)}", *headers, body=body)


def replies_of(
    handler: Handler,
    *,
    times: int = 1,
    road: Callable[[Any], Any] = lambda model: model,
    host: str = "127.0.0.1",
    **options: Any,
) -> list[Reply]:
    """What a model behind that server replies, one call after the other."""

    async def main() -> list[Reply] | Exception:
        async with speaking(handler, host=host) as url:
            model = road(model_of(url, **options))
            try:
                with trio.fail_after(20):
                    return [await model.complete(asking(f"q{at}")) for at in range(times)]
            except Unavailable as error:
                return error
            finally:
                await model.aclose()
        raise AssertionError

    ended = trio.run(main)
    if isinstance(ended, Exception):
        raise ended
    return ended


def trouble_of(handler: Handler, **options: Any) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        replies_of(handler, **options)
    return caught.value


# -- how an answer may come ------------------------------------------------------------------------


def chunked(sizes: list[int], *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    parts, at = [], 0
    while at < len(BODY):
        size = sizes[len(parts) % len(sizes)]
        parts.append(BODY[at : at + size])
        at += size
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts)
    return framed + b"0\r\n" + trailers + b"\r\n"


@pytest.mark.parametrize(
    "framed",
    [
        chunked([1]),
        chunked([1, 7, 3]),
        chunked([1000]),
        chunked([16], extension=b";name=value"),
        chunked([5], trailers=b"x-sum: 1\r\nx-more: 3\r\n"),
    ],
)
@ROADS
def test_chunks_of_any_size_with_extensions_and_trailers_are_one_answer(
    road: Any, framed: bytes
) -> None:
    sent = answer("Transfer-Encoding: chunked", body=framed)
    replies = replies_of(partial(always, sent), times=3, road=road)
    assert {reply.text for reply in replies} == {"Stone is grey."}


def test_an_answer_in_single_bytes_is_read() -> None:
    async def slowly(stream: Stream) -> None:
        while await request_from(stream):
            for byte in sized():
                await stream.send_all(bytes([byte]))

    assert replies_of(slowly, times=2)[1].text == "Stone is grey."


@pytest.mark.parametrize(
    "sent",
    [
        answer(version="1.0"),
        answer(f"content-length: {len(BODY)}", version="1.0"),
        answer("connection: close"),
        sized(BODY, "connection: close"),
    ],
)
@ROADS
def test_a_server_that_closes_behind_each_answer_is_asked_over_new_connections(
    road: Any, sent: bytes
) -> None:
    replies = replies_of(partial(once, sent), times=5, road=road)
    assert {reply.text for reply in replies} == {"Stone is grey."}


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress(BODY)), ("deflate", zlib.compress(BODY))]
)
@ROADS
def test_an_answer_that_comes_compressed_is_read_and_not_asked_for_twice(
    road: Any, coding: str, packed: bytes
) -> None:
    asked = []

    async def handler(stream: Stream) -> None:
        while request := await request_from(stream):
            asked.append(request)
            await stream.send_all(sized(packed, f"Content-Encoding: {coding}"))

    assert replies_of(handler, times=3, road=road)[2].text == "Stone is grey."
    assert len(asked) == 3


def test_ipv6_is_spoken() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert replies_of(partial(always, sized()), host="::1")[0].text == "Stone is grey."


# -- connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("close", ["half", "whole"])
def test_a_connection_that_closed_while_it_was_idle_costs_no_attempt(close: str) -> None:
    """Most servers end a connection that is silent for a while, some only their half of it."""

    async def handler(stream: Stream) -> None:
        await once(sized(), stream)
        if close == "half":
            assert isinstance(stream, trio.SocketStream)
            await stream.send_eof()
            await trio.sleep_forever()

    async def main() -> list[str]:
        async with speaking(handler) as url:
            model = model_of(url)
            texts = []
            for at in range(4):
                texts.append((await model.complete(asking(f"q{at}"))).text)
                await trio.sleep(0.02)
            await model.aclose()
            return texts

    assert trio.run(main) == ["Stone is grey."] * 4


def test_a_hundred_connections_that_closed_together_are_all_replaced() -> None:
    """None of the calls that come next meets more than its own dead connection."""
    open_ones: list[Stream] = []

    async def handler(stream: Stream) -> None:
        open_ones.append(stream)
        await always(sized(), stream)

    async def main() -> int:
        async with speaking(handler) as url:
            model = model_of(url)
            for _ in range(3):
                async with trio.open_nursery() as nursery:
                    for at in range(100):
                        nursery.start_soon(model.complete, asking(f"q{at}"))
                for stream in open_ones:
                    await stream.aclose()
            await model.aclose()
            return len(open_ones)

    assert trio.run(main) > 100


def test_a_late_second_answer_is_never_taken_for_the_next_one() -> None:
    """A connection on which something came unasked is not used again."""

    async def handler(stream: Stream) -> None:
        while await request_from(stream):
            await stream.send_all(sized())
            await trio.sleep(0.01)
            await stream.send_all(sized(BODY.replace(b"grey", b"pink")))

    async def main() -> list[str]:
        async with speaking(handler) as url:
            model = model_of(url)
            texts = []
            for at in range(4):
                texts.append((await model.complete(asking(f"q{at}"))).text)
                await trio.sleep(0.03)
            await model.aclose()
            return texts

    assert trio.run(main) == ["Stone is grey."] * 4


# -- what no server should do ----------------------------------------------------------------------


def test_an_answer_without_an_end_is_given_up_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST", 2**20)
    sent = 0

    async def handler(stream: Stream) -> None:
        nonlocal sent
        await request_from(stream)
        await stream.send_all(answer(body=b""))
        while True:
            await stream.send_all(b"x" * 65536)
            sent += 65536

    trouble = trouble_of(handler)
    assert (trouble.kind, trouble.message) == (
        "server",
        "the answer of the endpoint passed 1,024 KiB",
    )
    assert sent < 16 * 2**20


@pytest.mark.parametrize("line", [b"x-header: and again\r\n", b"x" * 200])
def test_headers_without_an_end_are_given_up_at_a_bound(line: bytes) -> None:
    async def handler(stream: Stream) -> None:
        await request_from(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            await stream.send_all(line * 100)

    assert "headers of the endpoint passed 256 KiB" in trouble_of(handler).message


def test_interim_answers_without_an_end_are_given_up_at_a_bound() -> None:
    async def handler(stream: Stream) -> None:
        await request_from(stream)
        while True:
            await stream.send_all(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    assert "headers of the endpoint passed" in trouble_of(handler).message


@ROADS
def test_an_answer_that_trickles_ends_at_the_time_out(road: Any) -> None:
    async def handler(stream: Stream) -> None:
        await request_from(stream)
        await stream.send_all(answer("content-length: 100000", body=b""))
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.02)

    trouble = trouble_of(handler, road=road, timeout=0.3)
    assert (trouble.kind, trouble.message) == ("timeout", "no answer within 0.3 s")


def test_a_bomb_of_zeros_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b" " * (connection.MOST + 2))
    trouble = trouble_of(partial(always, sized(bomb, "content-encoding: gzip")))
    assert "too long" in trouble.message


@ROADS
def test_a_redirect_is_told_and_nobody_else_is_asked(road: Any) -> None:
    asked = []

    async def other(stream: Stream) -> None:
        asked.append(await request_from(stream))

    async def main() -> EndpointRefused:
        async with speaking(other) as elsewhere:
            told = elsewhere.replace("http://", "http://name:word@") + "/chat?token=1"
            moved = answer(f"location: {told}", "content-length: 0", status="307 Moved", body=b"")
            async with speaking(partial(always, moved)) as url:
                model = road(model_of(url, key=Secret(KEY, "K")))
                with pytest.raises(EndpointRefused) as caught:
                    await model.complete(asking("hello"))
                await model.aclose()
                assert f"{url} sends to {elsewhere}/chat (307)" in caught.value.message
                return caught.value

    assert "`url:`" in (trio.run(main).hint or "")
    assert asked == []


# -- TLS ------------------------------------------------------------------------------------------


def test_a_server_without_tls_and_one_with_it_are_told_apart() -> None:
    """An address with the wrong scheme is told as such."""

    async def plain(stream: Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(answer("connection: close", status="400 Bad Request"))

    async def main() -> str:
        async with speaking(plain) as url:
            model = model_of(url.replace("http:", "https:"))
            with pytest.raises(Unavailable) as caught:
                await model.complete(asking("hello"))
            await model.aclose()
            return caught.value.message

    assert "no TLS connection to 127.0.0.1:" in trio.run(main)
