"""The Python behind ``std.dialogue``: rounds of a dialogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class Message(TypedDict):
    role: str
    content: str


def front(dialogue: Sequence[Message], rounds: int) -> list[Message]:
    """The first rounds, behind what stands before them all."""
    starts = _starts(dialogue)
    end = starts[max(rounds, 0)] if len(starts) > max(rounds, 0) else len(dialogue)
    return list(dialogue[:end])


def back(dialogue: Sequence[Message], rounds: int) -> list[Message]:
    """The last rounds, behind the system's message where there is one."""
    starts = _starts(dialogue)
    kept = starts[-rounds:] if rounds > 0 else []
    system = [dialogue[0]] if dialogue and dialogue[0]["role"] == "system" else []
    return [*system, *(dialogue[kept[0] :] if kept else ())]


def cuts(dialogue: Sequence[Message]) -> list[list[Message]]:
    """The dialogue up to each of the user's turns, with that turn."""
    return [list(dialogue[: start + 1]) for start in _starts(dialogue)]


def _starts(dialogue: Sequence[Message]) -> list[int]:
    return [at for at, message in enumerate(dialogue) if message["role"] == "user"]
