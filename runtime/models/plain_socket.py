"""A TCP socket as a stream, without what trio's own adds to each call."""

from __future__ import annotations

import socket

import trio


class PlainSocket:
    """Sends at once where the system takes it, and reads when there is something to read.

    Who is cancelled sends nothing; else only what waits is a checkpoint, and reading always is.
    Both raise ``OSError`` where the connection is broken; at its end what is read is empty.
    """

    def __init__(self, opened: trio.socket.SocketType) -> None:
        """Takes the socket over: ``opened`` is of no more use."""
        self._socket = socket.socket(fileno=opened.detach())
        self._socket.setblocking(False)

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        sent = self._send(data)
        while sent < len(data):
            await trio.lowlevel.wait_writable(self._socket)
            sent += self._send(memoryview(data)[sent:])

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    async def receive_some(self, most: int) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(most)
            except BlockingIOError:
                continue

    def is_readable(self) -> bool:
        """Whether there is something to read, an end or an error included."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        if self._socket.fileno() != -1:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
