"""The standard output."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.sinks.layout import Lines


class Stdout(Lines):
    """The whole row a line of JSON, as soon as it is there."""

    def __init__(self, out: Out, row: types.Record) -> None:
        super().__init__(out, row)
