"""A trio run beside a loop that is running already, as in a notebook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Generic, TypeVar

import trio

T = TypeVar("T")

_WAKE = 0.2
"""Seconds between looks at whether a Ctrl-C has come: another thread may have got the signal."""


def run_beside(work: Callable[[], Awaitable[T]]) -> T:
    """What ``work`` gives, run in a thread of its own; a Ctrl-C here cancels it there."""
    run = _Run(work)
    try:
        Thread(target=run.body, name="dpipe").start()
        # Not `join`: a thread whose `join` was interrupted counts as ended (Python before 3.13).
        while not run.ended.wait(_WAKE):
            pass
    except KeyboardInterrupt:
        run.cancel()
        run.ended.wait()
        raise
    return run.result()


class _Run(Generic[T]):
    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self.ended = Event()
        self._scope = trio.CancelScope()
        self._begun = Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._results: list[T] = []
        self._trouble: BaseException | None = None

    def body(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            self._trouble = error
        finally:
            self._begun.set()
            self.ended.set()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._begun.set()
        with self._scope:
            self._results.append(await self._work())

    def cancel(self) -> None:
        """From another thread: end the work where it waits."""
        self._begun.wait()
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)

    def result(self) -> T:
        if self._trouble is not None:
            raise self._trouble
        return self._results[0]
