"""An exported journal, line by line: a head, then an answer or a vector a line, as JSON.

A foreign file is data and nothing else: each line is bounded, read into these types, and checked.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, BinaryIO, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Struct

from dpipe.runtime.models.protocol import Reply
from dpipe.runtime.values import Outcome

FORMAT = 1
LONGEST = 64 << 20
"""Bytes that a line may have."""
Ending: TypeAlias = Literal[Outcome, "outvoted", "error"]

Key: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Count: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, lt=1e12)]


class Head(Struct, frozen=True, tag="dpipe journal"):
    """The first line."""

    format: Count


class Attempt(Struct, frozen=True, omit_defaults=True):
    """As the journal has it; ``reply`` is null where none came."""

    attempt: Count
    outcome: Ending
    at: Seconds
    model: str = ""
    prompt: str = ""
    max_tokens: Count | None = None
    message: str = ""
    reply: Reply | None = None


class Answer(Struct, frozen=True, tag="answer"):
    """All attempts at one answer, in their order."""

    key: Key
    attempts: Annotated[tuple[Attempt, ...], Meta(min_length=1, max_length=10_000)]

    @property
    def is_good(self) -> bool:
        return self.attempts[-1].outcome == "ok"


class Vector(Struct, frozen=True, tag="vector"):
    """A text's vector: 32-bit floats, the least significant byte first, in base64."""

    key: Key
    model: str
    at: Seconds
    vector: str

    @property
    def data(self) -> bytes:
        return b64decode(self.vector, validate=True)


Line: TypeAlias = Head | Answer | Vector
_lines: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def encoded(line: Line) -> bytes:
    """The line with its end; half of a surrogate pair, which UTF-8 cannot hold, is escaped."""
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(line)).encode("ascii") + b"\n"


def decoded(text: bytes) -> Line:
    """The line; raises ``ValueError`` for one that is no such line, or holds what cannot be."""
    try:
        line = _read(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if isinstance(line, Answer):
        _check_attempts(line)
    if isinstance(line, Vector):
        _check_vector(line.data)
    return line


def _read(text: bytes) -> Line:
    try:
        return _lines.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if b"\\ud" not in text.lower():
            raise
        line: Line = msgspec.convert(json.loads(text), Line)
        return line


def _check_attempts(answer: Answer) -> None:
    numbers = [each.attempt for each in answer.attempts]
    if any(b <= a for a, b in pairwise(numbers)):
        raise ValueError("its attempts are not in order")
    if any(each.outcome == "ok" and each.reply is None for each in answer.attempts):
        raise ValueError("it is ok and has no reply")


def _check_vector(data: bytes) -> None:
    if not data or len(data) % 4 or not np.isfinite(np.frombuffer(data, "<f4")).all():
        raise ValueError("its vector is none")


def vector_line(key: bytes, data: bytes, model: str, at: float) -> Vector:
    return Vector(key.hex(), model, at, b64encode(data).decode("ascii"))


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers; one that is too long comes as its beginning."""
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        yield number, line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST)


def reason(error: ValueError) -> str:
    """Why a line is damaged, in a line."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if isinstance(error, msgspec.DecodeError | json.JSONDecodeError | UnicodeDecodeError):
        return "it is no JSON"
    return str(error)
