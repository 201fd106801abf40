"""A forward proxy on loopback, as small as one can be."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from urllib.parse import urlsplit

import trio

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError)


class Proxy:
    """Passes on what it is asked; ``asked`` are the first lines of the requests.

    ``seen`` are all bytes that came by. With a ``login`` (``name:password``) it wants
    that one.
    """

    def __init__(self, login: str | None = None) -> None:
        self.asked: list[str] = []
        self.seen = b""
        self.port = 0
        self._login = b64encode(login.encode()) if login else None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address, as the environment names it."""
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, self._serve, [listener])
            self.port = listener.socket.getsockname()[1]
            yield f"http://127.0.0.1:{self.port}"
            nursery.cancel_scope.cancel()

    async def _serve(self, client: trio.SocketStream) -> None:
        async with client:
            while message := await self._message(client):
                first, _, rest = message.partition(b"\r\n")
                self.asked.append(first.decode())
                if self._login and not self._has_login(message):
                    await client.send_all(b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n")
                    continue
                method, target, _ = first.decode().split(" ")
                if method == "CONNECT":
                    await self._tunnel(client, target)
                    return
                await self._pass_on(client, method, target, rest)

    async def _pass_on(
        self, client: trio.SocketStream, method: str, target: str, rest: bytes
    ) -> None:
        to = urlsplit(target)
        async with await trio.open_tcp_stream(to.hostname or "", to.port or 80) as server:
            await server.send_all(f"{method} {to.path} HTTP/1.1\r\n".encode() + rest)
            await client.send_all(await self._message(server))

    async def _tunnel(self, client: trio.SocketStream, target: str) -> None:
        """Bytes both ways, whatever they are."""
        host, _, port = target.rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as server:
            await client.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._copy, client, server)
                await self._copy(server, client)
                nursery.cancel_scope.cancel()

    async def _copy(self, one: trio.SocketStream, other: trio.SocketStream) -> None:
        try:
            async for data in one:
                self.seen += data
                await other.send_all(data)
        except _BROKEN:
            return

    async def _message(self, stream: trio.SocketStream) -> bytes:
        """A request or an answer whose length it tells; empty at the end."""
        data = b""
        while len(data) < _length(data):
            if not (part := await stream.receive_some(65536)):
                return b""
            data += part
        self.seen += data
        return data

    def _has_login(self, message: bytes) -> bool:
        found = re.search(rb"(?im)^proxy-authorization: basic (\S+)", message)
        return found is not None and found[1] == self._login


def _length(data: bytes) -> float:
    """How long the whole message is, once its head is there."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return inf
    told = re.search(rb"(?im)^content-length: (\d+)", head)
    return len(head) + 4 + int(told[1] if told else 0)
