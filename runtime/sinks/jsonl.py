"""JSON lines."""

from __future__ import annotations

from dpipe.runtime.sinks.layout import Lines


class Jsonl(Lines):
    """The whole row a line, keys in the row's order."""
