"""How a run shows where it stands: a live block on a terminal, else a line now and then."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from dpipe.cli import console
from dpipe.cli.progress import Standing, block, one_line
from dpipe.runtime import events

if TYPE_CHECKING:
    from rich.text import Text

_EVERY = 5.0
"""Seconds between plain lines."""


class View(Protocol):
    def __call__(self, event: events.AnyEvent) -> None: ...


@contextmanager
def view(progress: str) -> Iterator[View]:
    """A listener that shows a run while the context lasts: live, plain, none or auto."""
    if progress == "auto":
        progress = "live" if _can_redraw() else "plain"
    if progress == "live":
        with _live() as live:
            yield live
    else:
        yield Plain() if progress == "plain" else _nothing


def _can_redraw() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _nothing(event: events.AnyEvent) -> None:
    """For those who want to see nothing."""


class Plain:
    """Tells on standard error, every few seconds, where the run stands."""

    def __init__(self) -> None:
        self.now = Standing()
        self.told = 0.0

    def __call__(self, event: events.AnyEvent) -> None:
        self.now(event)
        if isinstance(event, events.Stopping):
            reason = console.escape(event.reason)
            console.say(f"stopping: {reason}; waiting for what is under way", err=True)
        elif isinstance(event, events.Progress) and event.elapsed - self.told >= _EVERY:
            self.told = event.elapsed
            console.say(one_line(self.now), err=True)


@contextmanager
def _live() -> Iterator[View]:
    """A block on standard error that is drawn anew with each progress, and goes at the end."""
    from rich.console import Console
    from rich.live import Live

    now = Standing()
    colourless = not console.has_colour(sys.stderr)
    terminal = Console(stderr=True, highlight=False, no_color=colourless)
    live = Live(console=terminal, auto_refresh=False, transient=True)

    def show(event: events.AnyEvent) -> None:
        now(event)
        if isinstance(event, events.Progress):
            _draw(lambda: live.update(_drawn(now), refresh=True))

    _draw(live.start)
    _draw(terminal.show_cursor)  # so that nothing has to be put right if the process is ended
    try:
        yield show
    finally:
        _draw(live.stop)


def _draw(what: Callable[[], object]) -> None:
    """On a terminal that was closed meanwhile nothing is drawn any more."""
    try:
        what()
    except OSError:
        console.silence(sys.stderr)


def _drawn(now: Standing) -> Text:
    from rich.text import Text

    columns, lines = shutil.get_terminal_size()
    text = Text.from_ansi("\n".join(block(now, columns, lines)))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
