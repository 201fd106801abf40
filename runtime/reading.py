"""A reply, read as the type that was asked for: a value, or the outcome that it is instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from dpipe.lang import types
from dpipe.lang.types import Type
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import fit
from dpipe.runtime.loose_json import Broken, values_in
from dpipe.runtime.models.protocol import Reply
from dpipe.runtime.refusals import is_refusal
from dpipe.runtime.schema import wants_text, wrapper
from dpipe.runtime.values import Outcome


class Ok(Struct, frozen=True):
    """The value, and the model's reasoning where it gave any apart from the answer."""

    value: Any
    reasoning: str | None = None


class Failed(Struct, frozen=True):
    """``message`` is a fact about the reply; the model may be shown it when asked again."""

    outcome: Outcome
    message: str


Read: TypeAlias = Ok | Failed

_THOUGHT = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)", re.DOTALL)
# Some templates put the opening tag into the prompt, so that the reply holds the closing one only.
_THOUGHT_TAIL = re.compile(r"((?:(?!<think>).)*?)(?<!`)</think>(?!`)(?:\s|\Z)", re.DOTALL)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_ORNAMENTS = " \t\r\n*_`'\"“”.。"
_NONE: Any = object()


def read_reply(reply: Reply, result: Type) -> Read:
    """The reply as a value of ``result``, or why it is none."""
    if (failed := _finish(reply)) is not None:
        return failed
    answer, thought = split_thought(reply.text)
    if not answer.strip():
        told = "the reply holds reasoning and no answer" if thought else "the reply is empty"
        return Failed("empty", told)
    reasoning = reply.reasoning or thought
    if wants_text(result):
        if is_refusal(answer):
            return Failed("refused", f"the model refused: {_start(answer)}")
        return Ok(answer, reasoning)
    read = _read_json(answer, result)
    return Ok(read.value, reasoning) if isinstance(read, Ok) else read


def split_thought(text: str) -> tuple[str, str | None]:
    """The answer, and what the think blocks before it held."""
    thoughts = []
    if "</think>" in text and (tail := _THOUGHT_TAIL.match(text)):
        thoughts.append(tail[1].strip())
        text = text[tail.end() :].lstrip()
    while block := _THOUGHT.match(text):
        thoughts.append(block[1].strip())
        text = text[block.end() :].lstrip()
    return text, "\n\n".join(filter(None, thoughts)) or None


def _finish(reply: Reply) -> Failed | None:
    """What the endpoint itself says about the reply, which goes before its text."""
    if reply.finish == "length":
        return Failed("truncated", "the reply was cut off at the token limit")
    if reply.finish == "filter":
        return Failed("filtered", "the provider's content filter withheld the reply")
    if reply.refusal:
        return Failed("refused", f"the model refused: {_start(reply.refusal)}")
    return None


def _read_json(text: str, result: Type) -> Read:
    """The one value in the text that fits; two that differ are no answer."""
    misfit: Misfit | None = None
    found: Any = _NONE
    try:
        for value in _candidates(text, result):
            try:
                fitted = _fit(value, result)
            except Misfit as error:
                misfit = misfit or error
                continue
            if found is not _NONE and found != fitted:
                return Failed("malformed", "the reply holds several different answers")
            found = fitted
    except Broken as broken:
        return Failed("malformed", f"the reply is not valid JSON: {broken}")
    except RecursionError:
        return Failed("malformed", "the reply is nested too deeply")
    if found is not _NONE:
        return Ok(found)
    if is_refusal(text):
        return Failed("refused", f"the model refused: {_start(text)}")
    if misfit is not None:
        return Failed("invalid", str(misfit))
    return Failed("malformed", f"the reply holds no JSON: {_start(text)}")


def _candidates(text: str, result: Type) -> Iterator[Any]:
    """What may be the answer: the whole text as JSON, else each object and list in it."""
    try:
        yield msgspec.json.decode(text)
    except msgspec.DecodeError:
        yield from values_in(text)
        yield from _scalars(text, result)


def _scalars(text: str, result: Type) -> Iterator[Any]:
    """A bare word or number where one is wanted: ``**Positive**.``, or a fence around it."""
    inner = types.required(result)
    if not isinstance(inner, types.Enum | types.Int | types.Float | types.Bool):
        return
    fence = _FENCE.search(text)
    bare = (fence[1] if fence else text).strip(_ORNAMENTS)
    if isinstance(inner, types.Enum):
        yield bare
        return
    try:
        yield msgspec.json.decode(bare)
    except msgspec.DecodeError:
        return


def _fit(value: Any, result: Type) -> Any:
    """The value fitted, out of the object that it may have been wrapped in."""
    key = wrapper(result)
    if key is None or not isinstance(value, dict) or len(value) != 1:
        return fit(value, result)
    ((name, inner),) = value.items()
    if name == key:
        return fit(inner, result)
    if key == "items" and isinstance(inner, list):
        return fit(inner, result)
    return fit(value, result)


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "…"
