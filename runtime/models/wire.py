"""The OpenAI wire format: a ``Request`` as bytes to send, the bytes of an answer as a ``Reply``.

Nothing here knows how bytes travel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from dpipe.lang.types import Type
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.protocol import Finish, Message, Reply, Request, TextPart, Usage
from dpipe.runtime.schema import is_closed, json_schema, wants_text

CHAT = "/chat/completions"
COMPLETIONS = "/completions"
EMBEDDINGS = "/embeddings"
MODELS = "/models"


class BadReply(ValueError):
    """A body that is no reply of this wire format."""


# -- requests ------------------------------------------------------------------------------------


def path_of(request: Request) -> str:
    return CHAT if request.raw is None else COMPLETIONS


def is_structured(request: Request) -> bool:
    """Whether the answer has a schema; a raw prompt is sent as it is."""
    return request.raw is None and not wants_text(request.result)


def body_of(
    model: str, request: Request, extra: Mapping[str, Any], *, structured: bool = True
) -> bytes:
    """The request as JSON; ``structured`` False tells the schema in words instead."""
    body: dict[str, Any] = {"model": model}
    if request.raw is not None:
        body["prompt"] = request.raw
    else:
        body["messages"] = _messages(request, in_words=not structured and is_structured(request))
    body.update(request.options)
    if structured and is_structured(request):
        body["response_format"] = _response_format(request.result)
    body.update(extra)
    return msgspec.json.encode(body)


def embedding_body(model: str, texts: Sequence[str], extra: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(
        {"model": model, "input": texts, "encoding_format": "float", **extra}
    )


def _messages(request: Request, *, in_words: bool) -> list[dict[str, Any]]:
    messages = [{"role": m.role, "content": _content(m)} for m in request.messages]
    if in_words:
        _instruct(messages, _instructions(request.result))
    return messages


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _instruct(messages: list[dict[str, Any]], text: str) -> None:
    """Add to the last message if it is the user's, since some templates take no further one."""
    last = messages[-1] if messages else {"role": ""}
    if last["role"] != "user":
        messages.append({"role": "user", "content": text})
    elif isinstance(last["content"], str):
        last["content"] += "\n\n" + text
    else:
        last["content"].append({"type": "text", "text": text})


@lru_cache(maxsize=256)
def _instructions(result: Type) -> str:
    schema = msgspec.json.encode(json_schema(result)).decode()
    return f"Answer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"


@lru_cache(maxsize=256)
def _response_format(result: Type) -> msgspec.Raw:
    """Encoded once a type."""
    schema = {"name": "answer", "strict": is_closed(result), "schema": json_schema(result)}
    return msgspec.Raw(msgspec.json.encode({"type": "json_schema", "json_schema": schema}))


# -- replies -------------------------------------------------------------------------------------


class _Part(Struct):
    text: str | None = None


class _Said(Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(Struct):
    """A chat answer has a ``message``, a completion a ``text``."""

    message: _Said | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Tokens(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class _Answer(Struct):
    choices: list[_Choice]
    usage: _Tokens | None = None


class _Vector(Struct):
    embedding: list[float]
    index: int | None = None


class _Vectors(Struct):
    data: list[_Vector]
    usage: _Tokens | None = None


class _ErrorBody(Struct):
    """Fields of a provider's error, of whatever type they come in."""

    message: Any = None
    code: Any = None
    type: Any = None
    param: Any = None


_answer = msgspec.json.Decoder(_Answer)
_vectors = msgspec.json.Decoder(_Vectors)
_FINISHES: dict[str | None, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    None: "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filter",
}


def reply_of(body: bytes) -> Reply:
    """A chat or completions reply; raises ``BadReply``."""
    try:
        answer = _answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply(f"the endpoint's reply cannot be read: {error}") from None
    if not answer.choices:
        raise BadReply("the endpoint's reply holds no choices")
    choice = answer.choices[0]
    finish = _FINISHES.get(choice.finish_reason, "other")
    usage = _usage(answer.usage)
    said = choice.message
    if said is None:
        return Reply(choice.text or "", finish, usage=usage)
    return Reply(
        said.content if isinstance(said.content, str) else _joined(said.content),
        finish,
        said.refusal or None,
        said.reasoning_content or said.reasoning or None,
        usage,
    )


def _joined(parts: list[_Part] | None) -> str:
    return "".join(part.text or "" for part in parts or ())


def vectors_of(body: bytes, count: int) -> Embedded:
    """``count`` vectors in the order of their texts; raises ``BadReply``."""
    try:
        vectors = _vectors.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply(f"the endpoint's reply cannot be read: {error}") from None
    if len(vectors.data) != count:
        raise BadReply(f"the endpoint gave {len(vectors.data)} vectors for {count} texts")
    ordered = sorted(vectors.data, key=lambda each: each.index or 0)
    if len({len(each.embedding) for each in ordered}) > 1:
        raise BadReply("the endpoint's vectors differ in length")
    return Embedded([each.embedding for each in ordered], _usage(vectors.usage))


class _Listed(Struct):
    id: str


class _Models(Struct):
    data: list[_Listed]


def ids_of(body: bytes) -> list[str]:
    """The models that an endpoint lists; none where it says something else."""
    try:
        return [each.id for each in msgspec.json.decode(body, type=_Models).data]
    except msgspec.MsgspecError:
        return []


def _usage(tokens: _Tokens | None) -> Usage:
    if tokens is None:
        return Usage()
    return Usage(tokens.prompt_tokens or 0, tokens.completion_tokens or 0)


class ErrorReply(Struct, frozen=True):
    """What an endpoint says in an error's body; ``text`` is all of it, for looking words up."""

    message: str
    code: str
    param: str
    text: str


def error_of(body: bytes) -> ErrorReply:
    """Whatever can be learnt from an error's body, which may be anything."""
    text = body[:4000].decode("utf-8", "replace").strip()
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
        inner = said.get("error", said)
        error = msgspec.convert(inner, _ErrorBody) if isinstance(inner, dict) else _ErrorBody(inner)
    except msgspec.MsgspecError:
        error = _ErrorBody()
    message = error.message if isinstance(error.message, str) else text
    codes = " ".join(str(each) for each in (error.code, error.type) if each)
    return ErrorReply(_one_line(message), codes, str(error.param or ""), text)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"
