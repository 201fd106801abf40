"""The keys under which the journal knows a call: what the program means, nothing else.

In a key: the model's scope, the rendered messages, the result's JSON schema, the sampling
options. Not in it: names, layout, urls, limits, prices, and ``max_tokens``, since an answer that
ended by itself serves every limit that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from dpipe.lang.types import Type
from dpipe.runtime.models.protocol import ImagePart, Message, TextPart
from dpipe.runtime.schema import json_schema, wants_text
from dpipe.runtime.values import digest, framed, key_of

_sorted_json = msgspec.json.Encoder(order="deterministic")


def question_key(messages: tuple[Message, ...], raw: str | None, result: Type) -> bytes:
    """Sixteen bytes that stand for what is asked, whoever answers."""
    return digest(b"".join([_asked_for(result), *_content(messages, raw)]))


def options_meant(options: Mapping[str, Any]) -> bytes:
    """Options as they count in a key: their order does not matter and ``1`` is ``1.0``."""
    meant = {name: _plain(v) for name, v in options.items() if name != "max_tokens"}
    return _sorted_json.encode(meant)


def request_key(scope: str, options: bytes, question: bytes) -> bytes:
    """The key of a question to a model; the options as ``options_meant`` gives them."""
    return digest(_asked_of(scope, options) + framed(question))


def draw_key(request: bytes, draw: tuple[int, ...]) -> bytes:
    """The key of one draw of a request; the empty draw is what equal requests share."""
    return digest(_DRAW + framed(request) + _drawn(draw))


def vector_key(scope: str, text: str) -> bytes:
    """The key of a text's vector by one embedder."""
    return key_of("vector", scope, text)


@lru_cache(maxsize=1024)
def schema_digest(result: Type) -> bytes:
    """Sixteen bytes for what the answer must be; the order of fields counts, for models read it."""
    if wants_text(result):
        return key_of("text")
    return key_of("schema", msgspec.json.encode(_plain(json_schema(result))))


# What most keys have in common is framed once.
_DRAW = framed("draw")


@lru_cache(maxsize=256)
def _asked_of(scope: str, options: bytes) -> bytes:
    return framed("request", scope, options)


@lru_cache(maxsize=1024)
def _drawn(draw: tuple[int, ...]) -> bytes:
    return framed(",".join(map(str, draw)))


@lru_cache(maxsize=1024)
def _asked_for(result: Type) -> bytes:
    return framed("question", schema_digest(result))


def _content(messages: tuple[Message, ...], raw: str | None) -> Iterator[bytes]:
    """The texts of a question; the words between them keep equal texts in other places apart."""
    if raw is not None:
        yield framed("raw", raw)
    for message in messages:
        if isinstance(message.content, str):
            yield _one_text(message.role) + framed(message.content)
        else:
            yield framed(message.role, str(len(message.content)), *_parts(message.content))


@lru_cache(maxsize=64)
def _one_text(role: str) -> bytes:
    """What stands before the only text of a message."""
    return framed(role, "1", "text")


def _parts(content: tuple[TextPart | ImagePart, ...]) -> Iterator[str]:
    for part in content:
        yield from ("text", part.text) if isinstance(part, TextPart) else ("image", part.url)


def _plain(value: Any) -> Any:
    """The value with whole floats as ints, so that equal numbers are written alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
