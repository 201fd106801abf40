"""How many tokens a call will take, learnt from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from dpipe.runtime.models.protocol import ImagePart, Message, Request, Usage

_BYTES = 4
"""Bytes a token, as things mostly are."""
_FEWEST_BYTES = 3
_MESSAGE = 16
"""Tokens that a message takes beside its text, at most."""
_IMAGE = 4000
"""Bytes that a picture counts as, until the first reply tells."""
_FORGET = 0.02


class Guess(Struct, frozen=True):
    """Tokens of a call: those that are ``likely``, and the ``most`` that it should take."""

    likely: float
    most: Usage


class Lengths:
    """Learns from each reply how long the next one may be.

    What is likely is a mean; the most is the most of those before, forgotten slowly.
    """

    def __init__(self) -> None:
        self._written = 256.0
        self._most_written = 1024.0
        self._denser = 1.0

    def guess(self, size: float, limit: int | None = None) -> Guess:
        """For a prompt of so many bytes; ``limit`` are the tokens that its answer may have."""
        read = (size / _FEWEST_BYTES + _MESSAGE) * self._denser
        written = self._most_written if limit is None else limit
        likely = size / _BYTES + min(self._written, written)
        return Guess(likely, Usage(round(read), round(written)))

    def learn(self, size: float, usage: Usage) -> None:
        """Take what a prompt of so many bytes and its answer came to."""
        self._written += (usage.output - self._written) * 0.1
        self._most_written = _risen(self._most_written, usage.output)
        if usage.input:
            denser = usage.input / (size / _FEWEST_BYTES + _MESSAGE)
            self._denser = _risen(self._denser, denser)


def _risen(most: float, seen: float) -> float:
    return max(seen, most + (seen - most) * _FORGET)


def size_of(request: Request) -> float:
    """Bytes of a prompt."""
    return sum(map(_size, request.messages)) + _bytes(request.raw or "")


def limit_of(options: Mapping[str, Any]) -> int | None:
    """The most tokens that a request lets the answer have."""
    limit = options.get("max_tokens") or options.get("max_completion_tokens")
    return limit if isinstance(limit, int) else None


def _size(message: Message) -> float:
    if isinstance(message.content, str):
        return _bytes(message.content)
    parts = message.content
    return sum(_IMAGE if isinstance(part, ImagePart) else _bytes(part.text) for part in parts)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
