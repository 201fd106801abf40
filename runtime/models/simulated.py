"""A stand-in for a model: no network, no key, the same answers each time.

It answers by the type that is asked for, out of the prompt's own text: its sentences, verbatim.
It knows nothing and shows only what a program does. Two dice decide: the ``steady`` one hangs on
what is asked, the ``own`` one also on who is asked and on which draw (the option ``seed``), so
that several voices mostly agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

import msgspec
import trio

from dpipe.lang import types
from dpipe.lang.types import Type
from dpipe.runtime.models import phrases
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.hashed_vectors import vector_of
from dpipe.runtime.models.passages import Passage, passage_of, text_of
from dpipe.runtime.models.protocol import Reply, Request, Usage
from dpipe.runtime.schema import json_schema, wants_text, wrapper
from dpipe.runtime.values import key_of

SCOPE = "simulated:"


class SimulatedModel:
    """Answers at once, never fails."""

    def __init__(self, name: str, id: str) -> None:
        self.name = name
        self.scope = SCOPE + id

    async def complete(self, request: Request) -> Reply:
        await trio.lowlevel.checkpoint()
        return simulate(self.scope, request)

    async def aclose(self) -> None:
        """There is nothing to close."""


class SimulatedEmbedder:
    """Like texts get vectors that lie near, equal texts equal ones."""

    def __init__(self, name: str, id: str) -> None:
        self.name = name
        self.scope = SCOPE + id

    async def embed(self, texts: Sequence[str]) -> Embedded:
        await trio.lowlevel.checkpoint()
        return Embedded([vector_of(text) for text in texts], Usage(sum(map(tokens_in, texts))))

    async def aclose(self) -> None:
        """There is nothing to close."""


def simulate(scope: str, request: Request) -> Reply:
    """The answer of the model ``scope``, a function of the request alone."""
    steady, own = _dice(scope, request)
    writer = _Writer(passage_of(request), steady, own)
    if wants_text(request.result):
        text = phrases.instruction(own) if request.raw is not None else writer.text()
    else:
        value = writer.value(request.result, "", None, writer.topic())
        key = wrapper(request.result)
        text = msgspec.json.encode(value if key is None else {key: value}).decode()
    read = sum(tokens_in(text_of(message)) for message in request.messages)
    usage = Usage(read + tokens_in(request.raw or ""), tokens_in(text))
    return Reply(text, usage=usage)


def tokens_in(text: str) -> int:
    """About how many tokens a text has: four letters one, other writing more."""
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def _dice(scope: str, request: Request) -> tuple[Random, Random]:
    asked = key_of(
        msgspec.json.encode(request.messages),
        request.raw or "",
        msgspec.json.encode(json_schema(request.result)),
    )
    options = msgspec.json.encode(sorted(request.options.items()), enc_hook=str)
    return _random(asked), _random(key_of(asked, scope, options))


def _random(key: bytes) -> Random:
    return Random(int.from_bytes(key, "big"))


_LEAST_LIST, _MOST_LIST = 2, 4
_DEEPEST = 2  # records that contain themselves, in each other


def _least_depth(of: Type) -> int:
    """How deep such records must go at least for a value of the type."""
    return next(depth for depth in count() if types.ends_within(of, depth))


class _Writer:
    """Makes values up from a passage. The fields of one record share one ``topic``, a sentence."""

    def __init__(self, passage: Passage, steady: Random, own: Random) -> None:
        self._passage = passage
        self._steady = steady
        self._own = own
        self._topics = own.sample(passage.sentences, len(passage.sentences))
        self._depth = 0

    def topic(self) -> str:
        """A sentence that no other record is about, while there are any."""
        if not self._topics:
            return phrases.instruction(self._own)
        self._topics.append(self._topics.pop(0))
        return self._topics[-1]

    def text(self) -> str:
        """A free answer: two sentences of the text if it has as many."""
        topic = self.topic()
        if len(self._topics) < 2:
            return self._answer(topic)
        return phrases.joined(topic, self.topic())

    def value(self, of: Type, name: str, description: str | None, topic: str) -> Any:
        match of:
            case types.Str():
                return self._string(name, description or "", topic)
            case types.Json() | types.Unknown():
                return phrases.on_one_line(topic)
            case types.Bool():
                return self._mostly(self._steady.random(), self._own.random()) < 0.75
            case types.Int(low, high):
                return self._whole(low, high)
            case types.Float(low, high):
                return self._number(low, high)
            case types.Enum(values):
                return values[int(self._voice() * len(values))]
            case types.Optional(inner):
                present = self._present() and not self._is_too_deep(inner)
                return self.value(inner, name, description, topic) if present else None
            case types.List(item):
                return self._list(item, name, description)
            case types.Again(fields=fields):
                self._depth += 1
                inside = self._record(fields, topic)
                self._depth -= 1
                return inside
            case types.Record(fields=fields):
                return self._record(fields, topic)
            case types.Union(options) if self._is_too_deep(of):
                return self.value(min(options, key=_least_depth), name, description, topic)
            case types.Union(options):
                return self.value(self._own.choice(options), name, description, topic)
            case _:
                return None

    def _record(self, fields: Sequence[types.Field], topic: str) -> dict[str, Any]:
        return {f.name: self.value(f.type, f.name, f.description, topic) for f in fields}

    def _is_too_deep(self, of: Type) -> bool:
        """Whether the type would go on with records that contain themselves, deep in such."""
        return self._depth >= _DEEPEST and any(
            isinstance(part, types.Again) for part in types.parts(of)
        )

    def _string(self, name: str, description: str, topic: str) -> str:
        match phrases.kind_of(name, description):
            case "empty":
                return ""
            case "quote":
                return topic
            case "question":
                return phrases.question(topic, self._own)
            case "phrase":
                return phrases.phrase(topic)
            case "answer":
                return self._answer(topic)

    def _answer(self, topic: str) -> str:
        """The sentence on one line; where there are few, it is led in so that draws differ."""
        if len(self._topics) < _LEAST_LIST:
            return phrases.led_in(topic, self._own)
        return phrases.on_one_line(topic)

    def _list(self, item: Type, name: str, description: str | None) -> list[Any]:
        if self._is_too_deep(item):
            return []
        length = self._passage.count or self._own.randint(_LEAST_LIST, _MOST_LIST)
        if self._topics and isinstance(item, types.Record | types.Str):
            length = min(length, len(self._topics))
        return [self.value(item, name, description, self.topic()) for _ in range(length)]

    def _whole(self, low: int | None, high: int | None) -> int:
        least = low if low is not None else min(0, high or 0)
        most = high if high is not None else max(100, least + 100)
        return min(most, least + int(self._grade() * (most - least + 1)))

    def _number(self, low: float | None, high: float | None) -> float:
        least = low if low is not None else min(0.0, high or 0.0)
        most = high if high is not None else max(1.0, least + 1.0)
        return min(most, max(least, round(least + self._grade() * (most - least), 3)))

    def _grade(self) -> float:
        """Mostly in the upper half, as judges grade."""
        spread = (self._steady.random() + self._own.random()) / 2
        return 1.0 - spread * spread

    def _voice(self) -> float:
        return self._mostly(self._steady.random(), self._own.random())

    def _mostly(self, steady: float, own: float) -> float:
        """What most voices say; one in five says something of its own."""
        return own if self._own.random() < 0.2 else steady

    def _present(self) -> bool:
        return self._own.random() < 0.85
