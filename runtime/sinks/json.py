"""One JSON array."""

from __future__ import annotations

from dpipe.runtime.sinks.layout import Array


class Json(Array):
    """The whole row an element, keys in the row's order."""
