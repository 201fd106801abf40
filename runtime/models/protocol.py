"""What a model is to the rest of the runtime: one request in, one reply out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from dpipe.lang.types import Type


class ImagePart(Struct, frozen=True, tag="image"):
    """A picture inside a message, as a data URL."""

    url: str


class TextPart(Struct, frozen=True, tag="text"):
    text: str


class Message(Struct, frozen=True):
    role: str
    content: str | tuple[TextPart | ImagePart, ...]


class Request(Struct, frozen=True):
    """One call as the program means it.

    ``messages`` or ``raw`` (sent as is to the completions endpoint). ``result`` is what the
    answer must be; ``str`` asks for plain text. ``options`` are sampling options by the wire's
    names (temperature, top_p, max_tokens, stop, seed, …).
    """

    messages: tuple[Message, ...]
    raw: str | None
    result: Type
    options: Mapping[str, Any]


class Usage(Struct, frozen=True):
    """Tokens as the endpoint counted them."""

    input: int = 0
    output: int = 0


Finish = Literal["stop", "length", "filter", "other"]


class Reply(Struct, frozen=True):
    """What came back, unread: ``finish`` is to be looked at before ``text``.

    ``refusal`` is the provider's own field; ``reasoning`` the model's separate reasoning.
    """

    text: str
    finish: Finish = "stop"
    refusal: str | None = None
    reasoning: str | None = None
    usage: Usage = Usage()


class Unavailable(Exception):
    """Passing trouble: 429, 5xx, connection, time-out. ``retry_after`` is in seconds.

    ``kind`` is ``rate`` (429, 503 with Retry-After: the endpoint is busy), ``server``,
    ``connection`` or ``timeout``.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Literal["rate", "server", "connection", "timeout"],
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.status = status
        self.retry_after = retry_after


class Unreachable(Unavailable):
    """No connection came about, so nothing was asked; ``message`` says where and why."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="connection")


class RejectedRequest(Exception):
    """A 4xx that the same request would get again."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Model(Protocol):
    """An endpoint.

    ``complete`` raises ``Unavailable``, ``RejectedRequest``, or ``errors.EndpointRefused`` where
    no request can succeed (a wrong key). ``scope`` goes into every journal key: answers of two
    models with different scopes never serve each other (the model's id; simulated and scripted
    models say so in it).
    """

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str: ...

    async def complete(self, request: Request) -> Reply: ...

    async def aclose(self) -> None: ...


class Embedder(Protocol):
    """An embedding endpoint: one vector a text, in order, all of one length."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]: ...

    async def aclose(self) -> None: ...
