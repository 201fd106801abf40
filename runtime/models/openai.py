"""Any OpenAI-compatible endpoint: chat, raw completions and embeddings.

What is sent and how a reply is read is in ``wire``, how bytes travel in ``transport``, what an
error means in ``statuses``, and how an endpoint is reached in ``sdk``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.adapter import base_and_path
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.endpoint import Endpoint, Foreign, Spread
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.protocol import Reply, Request
from dpipe.runtime.models.statuses import Who
from dpipe.runtime.models.transport import Road
from dpipe.runtime.secrets import Secret


def openai_model(name: str, id: str, options: ModelOptions, *, needed: bool = False) -> OpenAIModel:
    """The model behind ``url:``, without a gate; ``needed`` as of ``Spread``."""
    spread = Spread(_endpoints(name, id, options), needed=needed)
    return OpenAIModel(name, id, options, spread)


def openai_embedder(
    name: str, id: str, options: ModelOptions, *, needed: bool = False
) -> OpenAIEmbedder:
    """The embedder behind ``url:``, without a gate; ``needed`` as of ``Spread``."""
    spread = Spread(_endpoints(name, id, options), needed=needed)
    return OpenAIEmbedder(name, id, options, spread)


class OpenAIModel:
    """Chat and raw completions, from whichever of its urls has the least to do."""

    def __init__(self, name: str, id: str, options: ModelOptions, spread: Spread) -> None:
        self.name = name
        self.scope = id
        self._sampling = options.sampling
        self._extra = options.body
        self._spread = spread

    async def complete(self, request: Request) -> Reply:
        if self._sampling:
            options = {**self._sampling, **request.options}
            request = Request(request.messages, request.raw, request.result, options)
        return await self._spread.ask(lambda one: one.complete(request, self._extra))

    @property
    def resting(self) -> tuple[str, ...]:
        return self._spread.resting

    async def aclose(self) -> None:
        await self._spread.aclose()


class OpenAIEmbedder:
    """Embeddings, all texts of a call in one request."""

    def __init__(self, name: str, id: str, options: ModelOptions, spread: Spread) -> None:
        self.name = name
        self.scope = id
        self._body = {**options.sampling, **options.body}
        self._spread = spread

    async def embed(self, texts: Sequence[str]) -> Embedded:
        return await self._spread.ask(lambda one: one.embed(texts, self._body))

    @property
    def resting(self) -> tuple[str, ...]:
        return self._spread.resting

    async def aclose(self) -> None:
        await self._spread.aclose()


def _endpoints(name: str, id: str, options: ModelOptions) -> list[Endpoint]:
    key = _key(options.key) if options.key else None

    def endpoint(url: str) -> Endpoint:
        who = Who(name, id, url, options.key)
        if options.adapter is None:
            return Endpoint(who, lambda: _road(url, key, options.timeout), options.timeout)
        base, path = base_and_path(url)
        road = partial(_road, base, key, options.timeout)
        return Endpoint(who, road, options.timeout, Foreign(options.adapter, path))

    return [endpoint(url) for url in options.url]


def _road(url: str, key: str | None, timeout: float) -> Road:
    # the SDK takes half a second to import, and a run that makes no call does without
    from dpipe.runtime.models.sdk import road_to

    return road_to(url, key, timeout)


def _key(secret: Secret) -> str:
    """The key as a header can hold it."""
    key = secret.reveal().strip()
    if key.isascii() and key.isprintable() and key:
        return key
    raise UsageError(
        f"what `{secret.name}` holds is no key: it is empty, or has line ends or foreign letters",
        hint=f"put the key alone into the variable `{secret.name}`",
    )
