"""What the tests of commands hold in their hands."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Done(Struct):
    """What a command left behind."""

    code: int
    out: str
    err: str


Dpipe = Callable[..., Done]
"""Runs ``dpipe ARGS``."""
