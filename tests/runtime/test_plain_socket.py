"""The socket that calls without TLS travel over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from dpipe.runtime.models.plain_socket import PlainSocket


def between(work: Callable[[PlainSocket, trio.SocketStream], Awaitable[None]]) -> None:
    """Do the work with one end of a connection, and a stream of trio's on the other."""

    async def opened() -> None:
        one, other = trio.socket.socketpair()
        plain = PlainSocket(one)
        async with trio.SocketStream(other) as stream:
            await work(plain, stream)
        plain.close()

    trio.run(opened)


def test_more_than_the_system_takes_at_once_arrives_whole() -> None:
    message = bytes(range(256)) * 20_000

    async def work(plain: PlainSocket, other: trio.SocketStream) -> None:
        arrived = bytearray()

        async def listen() -> None:
            while len(arrived) < len(message):
                arrived.extend(await other.receive_some(100_000))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await plain.send_all(message)
        assert arrived == message

    between(work)


def test_it_is_readable_once_the_other_side_speaks_or_ends() -> None:
    async def work(plain: PlainSocket, other: trio.SocketStream) -> None:
        assert not plain.is_readable()
        await other.send_all(b"word")
        assert plain.is_readable()
        assert await plain.receive_some(100) == b"word"
        assert not plain.is_readable()
        await other.aclose()
        assert plain.is_readable()
        assert await plain.receive_some(100) == b""

    between(work)


def test_who_is_cancelled_sends_nothing() -> None:
    async def work(plain: PlainSocket, other: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await plain.send_all(b"word")
        plain.close()
        assert await other.receive_some(100) == b""

    between(work)


def test_a_broken_connection_is_an_error() -> None:
    async def work(plain: PlainSocket, other: trio.SocketStream) -> None:
        await other.aclose()
        with pytest.raises(BrokenPipeError):
            await plain.send_all(b"word")

    between(work)
