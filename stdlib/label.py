"""The Python behind ``std.label``: the user's turns of a dialogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict


class Message(TypedDict):
    role: str
    content: str


class Turn(TypedDict):
    turn: int
    text: str
    history: list[Message]


def turns(dialogue: Sequence[Message], window: int) -> list[Turn]:
    """The user's turns, counted from 1, each with what was said since ``window`` turns before.

    A history begins with a user's turn, or with the system's message where it reaches that far
    back; blank turns are none.
    """
    at = list(_places(dialogue))
    return [
        {
            "turn": number + 1,
            "text": dialogue[place]["content"],
            "history": list(dialogue[_start(at, number, window) : place]),
        }
        for number, place in enumerate(at)
    ]


def _places(dialogue: Sequence[Message]) -> Iterator[int]:
    for place, message in enumerate(dialogue):
        if message["role"] == "user" and message["content"].strip():
            yield place


def _start(at: Sequence[int], number: int, window: int) -> int:
    if window <= 0:
        return at[number]
    return at[number - window] if number > window else 0


def transcript(dialogue: Sequence[Message]) -> str:
    """The dialogue as text, a speaker a line, the user's turns numbered as ``turns`` does."""
    numbers = {place: number for number, place in enumerate(_places(dialogue), start=1)}
    lines = (_line(message, numbers.get(place)) for place, message in enumerate(dialogue))
    return "\n".join(lines)


def _line(message: Message, number: int | None) -> str:
    name = message["role"] if number is None else f"[{number}] {message['role']}"
    return f"{name}: {message['content']}"
