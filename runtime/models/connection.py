"""One HTTP/1.1 connection: a request's bytes out, its answer back, parsed by httptools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import httptools
import trio
from msgspec import Struct

from dpipe.runtime.models.protocol import Unavailable

MOST = 64 * 2**20
"""Bytes of an answer: a longer one is none that a model gave."""
_MOST_BEFORE = 2**18
"""Bytes of headers and interim answers before it."""
_CHUNK = 65536
_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Stream(Protocol):
    async def send_all(self, data: bytes) -> None: ...

    async def receive_some(self, most: int) -> bytes | bytearray: ...


class Socket(Protocol):
    """What lies below the stream."""

    def is_readable(self) -> bool: ...

    def close(self) -> None: ...


class Answer(Struct, frozen=True):
    """An HTTP answer, whatever its status; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stale(Exception):
    """A connection that was used before ended without a byte of an answer."""


class Connection:
    """Carries one exchange at a time; ``reusable`` tells whether another may follow.

    An exchange that does not end well, a cancelled one included, closes the connection.
    """

    def __init__(self, stream: Stream, socket: Socket) -> None:
        self.reusable = False
        self._stream = stream
        self._socket = socket
        self._used = False
        # the parser calls the on_… methods below
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def _begin(self) -> None:
        self.reusable = False
        self._begun = False
        self._done: Answer | None = None
        self._headers_complete = False
        self._has_length = False
        self._status = 0
        self._taken = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def exchange(self, message: bytes) -> Answer:
        """Send a whole request and wait for its answer; raises ``Stale``, ``Unavailable``."""
        self._begin()
        try:
            await self._send(message)
            while self._done is None:
                self._feed(await self._receive())
        except BaseException:
            self.close()
            raise
        self._used = True
        if not self.reusable:
            self.close()
        return self._done

    @property
    def is_dead(self) -> bool:
        """Whether the other side closed it, or spoke, while nobody asked."""
        return self._socket.is_readable()

    def close(self) -> None:
        """End it at once, without a word to the other side."""
        self.reusable = False
        self._socket.close()

    async def _send(self, message: bytes) -> None:
        try:
            await self._stream.send_all(message)
        except _BROKEN:
            # the other side may have answered before it closed
            return

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(_CHUNK))
        except _BROKEN:
            return b""

    def _feed(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise Unavailable(
                f"the endpoint does not speak HTTP: {error}", kind="connection"
            ) from None
        self._taken += len(data)
        most = MOST if self._headers_complete else _MOST_BEFORE
        if self._taken > most:
            what = "answer" if self._headers_complete else "headers"
            told = f"the {what} of the endpoint passed {most >> 10:,} KiB"
            raise Unavailable(told, kind="server")

    def _end(self) -> None:
        """The other side closed: the end of a body without a length, else of the call."""
        if self._headers_complete and not self._has_length:
            self._done = self._answer()
        elif self._used and not self._begun:
            raise Stale
        else:
            told = "in the middle of its answer" if self._begun else "without an answer"
            raise Unavailable(f"the endpoint closed the connection {told}", kind="connection")

    def _answer(self) -> Answer:
        headers = {
            name.lower().decode("latin-1"): value.decode("latin-1") for name, value in self._headers
        }
        return Answer(self._status, headers, b"".join(self._body))

    # -- what the parser calls -------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._headers_complete = self._status >= 200

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._headers_complete:
            # an interim answer (1xx): the real one follows
            self._headers.clear()
            self._has_length = False
        elif self._done is None:
            self._done = self._answer()
            self.reusable = self._parser.should_keep_alive()
        else:
            # two answers to one request: no later one could be trusted
            self.reusable = False
