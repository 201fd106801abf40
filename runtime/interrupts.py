"""SIGINT, SIGTERM and SIGHUP while a run goes on: the first ends it cleanly, a second one at once.

Where the run cannot end, since a function of the program's own keeps the interpreter busy, the
first one ends the process too, after a while.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import trio

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 1.7
"""Seconds from the first signal to the end of the process, if the run does not end before."""
_STUCK = b"\ninterrupted; what was answered is kept: run it again to go on, nothing is paid twice\n"


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
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _is_stuck(self, signum: int, frame: FrameType | None) -> None:
        """The run has not ended: the event loop does not come to it."""
        assert self._first is not None
        with suppress(OSError):
            os.write(2, _STUCK)
        os._exit(128 + self._first)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Takes the signals inside; a thread that is not the main one gets none.

        A signal that is ignored, as ``nohup`` has it, stays so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        before = {signum: signal.signal(signum, self._handle) for signum in heard}
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._is_stuck)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for signum, handler in before.items():
                signal.signal(signum, handler)
