"""SIGINT and SIGTERM while a run goes on: the first ends it cleanly, a second one at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import trio

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Somebody wants the run to end; ``exit_code`` is what a shell expects then."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


class Signals:
    """The first signal that came, for a task that waits for it.

    A second one ends the process from within the handler: whatever the run is doing, the journal
    is whole, for its commits are.
    """

    def __init__(self) -> None:
        self._came = trio.Event()
        self._first: int | None = None
        self._token = trio.lowlevel.current_trio_token()

    async def interrupt(self) -> NoReturn:
        """Raise ``Interrupted`` at the first signal."""
        await self._came.wait()
        assert self._first is not None
        raise Interrupted(self._first)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._first is not None:
            os._exit(128 + signum)
        self._first = signum
        self._token.run_sync_soon(self._came.set)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Takes the signals inside; a thread that is not the main one gets none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.signal(signum, self._handle) for signum in _SIGNALS}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
