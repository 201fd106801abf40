"""Conversations as lists of ``{ role, content }``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpipe.runtime.sinks.base import text
from dpipe.runtime.values import Values


def opening(record: Mapping[str, Any], name: str) -> list[Values]:
    """The system's text and the history, where there are any, and the user's turn ``name``."""
    system = record.get("system")
    return [
        *([{"role": "system", "content": system}] if system else ()),
        *(record.get("history") or ()),
        {"role": "user", "content": text(record, name)},
    ]


def answer(content: str) -> Values:
    return {"role": "assistant", "content": content}
