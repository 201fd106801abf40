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
from dpipe.runtime.models.protocol import Message, Request, TextPart
from dpipe.runtime.schema import json_schema, wants_text
from dpipe.runtime.values import key_of

_sorted_json = msgspec.json.Encoder(order="deterministic")


def request_key(scope: str, request: Request) -> bytes:
    """Sixteen bytes that stand for the request as the program means it.

    Options are told apart by value: their order does not matter and ``1`` is ``1.0``.
    """
    options = {name: _plain(v) for name, v in request.options.items() if name != "max_tokens"}
    return key_of(
        "request",
        scope,
        schema_digest(request.result),
        _sorted_json.encode(options),
        *_content(request),
    )


def draw_key(request: bytes, draw: tuple[int, ...]) -> bytes:
    """The key of one draw of a request; the empty draw is what equal requests share."""
    return key_of("draw", request, ",".join(map(str, draw)))


def vector_key(scope: str, text: str) -> bytes:
    """The key of a text's vector by one embedder."""
    return key_of("vector", scope, text)


@lru_cache(maxsize=1024)
def schema_digest(result: Type) -> bytes:
    """Sixteen bytes for what the answer must be; the order of fields counts, for models read it."""
    if wants_text(result):
        return key_of("text")
    return key_of("schema", msgspec.json.encode(_plain(json_schema(result))))


def _content(request: Request) -> Iterator[str]:
    """The texts of a request; the words between them keep equal texts in other places apart."""
    if request.raw is not None:
        yield from ("raw", request.raw)
    for message in request.messages:
        yield from _texts(message)


def _texts(message: Message) -> Iterator[str]:
    yield message.role
    if isinstance(message.content, str):
        yield from ("1", "text", message.content)
        return
    yield str(len(message.content))
    for part in message.content:
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
