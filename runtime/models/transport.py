"""How the bytes of a call travel: a path and a body out, an answer back.

``Pool`` is the fast way: plain HTTP/1.1 over connections that are kept. It knows nothing of
proxies; a compression that it does not speak it tells with ``NotSpoken``.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Protocol

import trio
from msgspec import Struct

from dpipe.runtime.errors import EndpointRefused
from dpipe.runtime.models.connection import Answer, Connection, Stale
from dpipe.runtime.models.packed import NotSpoken, unpacked
from dpipe.runtime.models.plain_socket import PlainSocket
from dpipe.runtime.models.protocol import Unreachable

PATIENCE = 15.0
"""Seconds for a connection to come about."""
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 45),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 105_000),
)


class Road(Protocol):
    """A way to one endpoint; its calls raise ``protocol.Unavailable`` where nothing came back."""

    async def post(self, path: str, body: bytes) -> Answer: ...

    async def get(self, path: str) -> Answer: ...

    async def aclose(self) -> None: ...


class Origin(Struct, frozen=True):
    """Where an endpoint is and what goes with every request to it.

    ``path`` is the base path without a slash at its end; ``tls`` None is plain HTTP.
    """

    host: str
    port: int
    path: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None

    def head(self, path: str, method: str = "POST") -> bytes:
        """A request up to the length of its body, which is to follow."""
        default = 80 if self.tls is None else 443
        host = f"[{self.host}]" if ":" in self.host else self.host
        authority = host if self.port == default else f"{host}:{self.port}"
        lines = [
            f"{method} {self.path}{path} HTTP/1.1",
            f"host: {authority}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            "accept-encoding: identity",
            "content-length: ",
        ]
        return "\r\n".join(lines).encode("latin-1")


class Pool:
    """Connections to one origin, the last one used taken first: no call looks through them."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._idle: list[Connection] = []
        self._heads: dict[str, bytes] = {}

    async def post(self, path: str, body: bytes) -> Answer:
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = self._origin.head(path)
        answer = await self._exchange(b"%s%d\r\n\r\n%s" % (head, len(body), body))
        return unpacked(answer) if "content-encoding" in answer.headers else answer

    async def get(self, path: str) -> Answer:
        answer = await self._exchange(self._origin.head(path, "GET") + b"0\r\n\r\n")
        return unpacked(answer) if "content-encoding" in answer.headers else answer

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, message: bytes) -> Answer:
        """On a kept connection, or a new one if the other side closes that just now."""
        connection = self._kept()
        if connection is not None:
            try:
                return await self._on(connection, message)
            except Stale:
                pass
        return await self._on(await connect(self._origin), message)

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_dead:
                return connection
            connection.close()
        return None

    async def _on(self, connection: Connection, message: bytes) -> Answer:
        answer = await connection.exchange(message)
        if connection.reusable:
            self._idle.append(connection)
        return answer


class FirstRoad:
    """The fast road, until it meets what only the slow one can follow."""

    def __init__(self, fast: Road, slow: Road) -> None:
        self._roads = (fast, slow)
        self._road = fast

    async def post(self, path: str, body: bytes) -> Answer:
        try:
            return await self._road.post(path, body)
        except NotSpoken:
            self._road = self._roads[1]
            return await self._road.post(path, body)

    async def get(self, path: str) -> Answer:
        return await self._road.get(path)

    async def aclose(self) -> None:
        for road in self._roads:
            await road.aclose()


async def connect(origin: Origin) -> Connection:
    """A new connection; raises ``Unavailable``, or ``EndpointRefused`` where trust is missing."""
    where = f"{origin.host}:{origin.port}"
    with trio.move_on_after(PATIENCE):
        stream = await _reached(origin, where)
        if origin.tls is None:
            plain = PlainSocket(stream.socket)
            return Connection(plain, plain)
        return await _secured(stream, origin.tls, origin.host, where)
    raise Unreachable(f"no connection to {where} within {PATIENCE:g} s")


async def _reached(origin: Origin, where: str) -> trio.SocketStream:
    try:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    except OSError as error:
        raise Unreachable(f"no connection to {where}: {reason_of(error)}") from None
    keep_alive(stream)
    return stream


async def _secured(
    stream: trio.SocketStream, tls: ssl.SSLContext, host: str, where: str
) -> Connection:
    secure = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
    try:
        await secure.do_handshake()
    except trio.BrokenResourceError as error:
        stream.socket.close()
        raise handshake_failed(where, error.__cause__) from None
    except BaseException:
        stream.socket.close()
        raise
    return Connection(secure, stream.socket)


def keep_alive(stream: trio.SocketStream) -> None:
    """Have the system ask a silent other side whether it is still there.

    A network that is gone is noticed within two minutes, and who forgets silent connections on
    the way does not forget one that waits for a long answer.
    """
    for level, name, value in _KEEP_ALIVE:
        if (option := getattr(socket, name, None)) is not None:
            stream.setsockopt(level, option, value)


def handshake_failed(where: str, cause: BaseException | None) -> Exception:
    """What a TLS connection that did not come about means."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return EndpointRefused(
            f"the certificate of {where} is not trusted: {cause.verify_message}",
            code="P0004",
            hint="name the file of its authority in the variable SSL_CERT_FILE",
        )
    return Unreachable(f"no TLS connection to {where}: {cause}")


def reason_of(error: OSError) -> str:
    """Why there is no connection, also where several addresses were tried."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    inner = cause if isinstance(cause, OSError) else error
    if isinstance(inner, socket.gaierror):
        return "there is no host of that name"
    if inner.errno is None:
        return str(inner)
    return _WORDS.get(inner.errno) or os.strerror(inner.errno).lower()


_WORDS = {
    errno.ECONNREFUSED: "connection refused, nothing answers on that port",
    errno.ETIMEDOUT: "it timed out",
}
