"""The standard output."""

from __future__ import annotations

from dpipe.runtime.sinks.layout import Lines


class Stdout(Lines):
    """The whole row a line of JSON, as soon as it is there."""
