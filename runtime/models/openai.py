"""Any OpenAI-compatible endpoint. The only file that knows the openai SDK.

The SDK gives configuration: base URL, headers, authentication, proxies of the environment. What
is sent and how a reply is read is in ``wire``, how bytes travel in ``transport``, what an error
means in ``statuses``.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai
import trio
from openai import AsyncOpenAI, Omit, RequestOptions

from dpipe.lang.types import Type
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models import wire
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.protocol import Reply, Request, Unavailable
from dpipe.runtime.models.statuses import Who, blames_schema, is_filtered, raise_for
from dpipe.runtime.models.transport import NotSpoken, Origin, Pool, Road
from dpipe.runtime.secrets import Secret


def openai_model(name: str, id: str, options: ModelOptions) -> OpenAIModel:
    """The model behind ``url:``, without a gate."""
    return OpenAIModel(name, id, options, _endpoints(name, id, options))


def openai_embedder(name: str, id: str, options: ModelOptions) -> OpenAIEmbedder:
    """The embedder behind ``url:``, without a gate."""
    return OpenAIEmbedder(name, id, options, _endpoints(name, id, options))


class OpenAIModel:
    """Chat and raw completions, from whichever of its urls has the least to do."""

    def __init__(
        self, name: str, id: str, options: ModelOptions, endpoints: Sequence[Endpoint]
    ) -> None:
        self.name = name
        self.scope = id
        self._sampling = options.sampling
        self._extra = options.body
        self._endpoints = endpoints

    async def complete(self, request: Request) -> Reply:
        if self._sampling:
            options = {**self._sampling, **request.options}
            request = Request(request.messages, request.raw, request.result, options)
        return await least_busy(self._endpoints).complete(request, self._extra)

    async def aclose(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.aclose()


class OpenAIEmbedder:
    """Embeddings, all texts of a call in one request."""

    def __init__(
        self, name: str, id: str, options: ModelOptions, endpoints: Sequence[Endpoint]
    ) -> None:
        self.name = name
        self.scope = id
        self._body = {**options.sampling, **options.body}
        self._endpoints = endpoints

    async def embed(self, texts: Sequence[str]) -> Embedded:
        return await least_busy(self._endpoints).embed(texts, self._body)

    async def aclose(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.aclose()


class Endpoint:
    """One url of a model, and what was learnt about it.

    ``_structured`` remembers, per result type, whether structured output is taken there.
    """

    def __init__(self, who: Who, road: Road, timeout: float) -> None:
        self.in_flight = 0
        self._who = who
        self._road = road
        self._timeout = timeout
        self._structured: dict[Type, bool] = {}

    async def complete(self, request: Request, extra: Mapping[str, Any]) -> Reply:
        structured = self._structured.get(request.result, True)
        answer = await self._ask(request, extra, structured=structured)
        if structured and wire.is_structured(request):
            known = request.result in self._structured
            if blames_schema(answer, known=known):
                answer = await self._ask_in_words(request, extra)
            elif answer.status == 200 and not known:
                self._structured[request.result] = True
        if is_filtered(answer):
            return Reply("", "filter")
        return self._read(answer)

    async def embed(self, texts: Sequence[str], extra: Mapping[str, Any]) -> Embedded:
        body = wire.embedding_body(self._who.id, texts, extra)
        answer = await self._post(wire.EMBEDDINGS, body)
        if answer.status != 200:
            raise_for(answer, self._who)
        try:
            return wire.vectors_of(answer.body, len(texts))
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

    async def aclose(self) -> None:
        await self._road.aclose()

    async def _ask(self, request: Request, extra: Mapping[str, Any], *, structured: bool) -> Answer:
        body = wire.body_of(self._who.id, request, extra, structured=structured)
        return await self._post(wire.path_of(request), body)

    async def _ask_in_words(self, request: Request, extra: Mapping[str, Any]) -> Answer:
        """The schema told in words, and so from now on if that is what was wrong."""
        answer = await self._ask(request, extra, structured=False)
        if answer.status == 200:
            self._structured[request.result] = False
        return answer

    def _read(self, answer: Answer) -> Reply:
        if answer.status != 200:
            raise_for(answer, self._who)
        try:
            return wire.reply_of(answer.body)
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

    async def _post(self, path: str, body: bytes) -> Answer:
        self.in_flight += 1
        try:
            with trio.fail_after(self._timeout):
                return await self._road.post(path, body)
        except trio.TooSlowError:
            message = f"no answer within {self._timeout:g} s"
            raise Unavailable(message, kind="timeout") from None
        finally:
            self.in_flight -= 1


_NO_KEY: Any = {"Authorization": Omit()}


class SdkRoad:
    """Posts through the SDK's own HTTP client, which speaks everything and is slow."""

    def __init__(self, client: AsyncOpenAI, *, keyless: bool) -> None:
        self._client = client
        self._options: RequestOptions = {"headers": _NO_KEY} if keyless else {}

    async def post(self, path: str, body: bytes) -> Answer:
        try:
            response = await self._client.post(
                path, content=body, cast_to=httpx2.Response, options=self._options
            )
        except openai.APIStatusError as error:
            response = error.response
        except openai.APITimeoutError:
            raise Unavailable("the request timed out", kind="timeout") from None
        except openai.APIConnectionError as error:
            message = f"no connection: {error.__cause__ or error}"
            raise Unavailable(message, kind="connection") from None
        return Answer(response.status_code, dict(response.headers), response.content)

    async def aclose(self) -> None:
        await self._client.close()


class FirstRoad:
    """The fast road, until it meets what only the slow one can follow."""

    def __init__(self, fast: Road, slow: Road) -> None:
        self._roads = (fast, slow)
        self._road = fast

    async def post(self, path: str, body: bytes) -> Answer:
        try:
            return await self._road.post(path, body)
        except NotSpoken:
            self._road = self._roads[1]
            return await self._road.post(path, body)

    async def aclose(self) -> None:
        for road in self._roads:
            await road.aclose()


def least_busy(endpoints: Sequence[Endpoint]) -> Endpoint:
    return min(endpoints, key=lambda endpoint: endpoint.in_flight)


def _endpoints(name: str, id: str, options: ModelOptions) -> list[Endpoint]:
    return [
        Endpoint(Who(name, id, url, options.key), _road(url, options), options.timeout)
        for url in options.url
    ]


def _road(url: str, options: ModelOptions) -> Road:
    client = _client(url, options)
    slow = SdkRoad(client, keyless=options.key is None)
    if not _is_plain(url):
        return slow
    return FirstRoad(Pool(_origin(client, keyless=options.key is None)), slow)


def _client(url: str, options: ModelOptions) -> AsyncOpenAI:
    """The SDK's client, without retries of its own."""
    return AsyncOpenAI(
        base_url=url,
        api_key=_key(options.key) if options.key else "none",
        timeout=options.timeout,
        max_retries=0,
    )


def _key(secret: Secret) -> str:
    """The key as a header can hold it."""
    key = secret.reveal().strip()
    if key.isascii() and key.isprintable() and key:
        return key
    raise UsageError(
        f"what `{secret.name}` holds is no key: it is empty, or has line ends or foreign letters",
        hint=f"put the key alone into the variable `{secret.name}`",
    )


def _is_plain(url: str) -> bool:
    """Whether an endpoint is reached without a proxy, a password or a query in its address."""
    parts = urlsplit(url)
    if parts.username is not None or parts.query:
        return False
    proxies = getproxies()
    proxied = "all" in proxies or parts.scheme in proxies
    return not proxied or bool(proxy_bypass(parts.hostname or ""))


def _origin(client: AsyncOpenAI, *, keyless: bool) -> Origin:
    """Where the SDK would send a request, with the headers that it would give it."""
    url = client.base_url
    sent = {**client.auth_headers, **client.default_headers}
    headers = {
        name.lower(): value
        for name, value in sent.items()
        if isinstance(value, str) and not (keyless and name.lower() == "authorization")
    }
    secure = url.scheme == "https"
    return Origin(
        url.host,
        url.port or (443 if secure else 80),
        url.path.rstrip("/"),
        headers,
        _tls_context() if secure else None,
    )


def _tls_context() -> ssl.SSLContext:
    """What the SDK's HTTP client trusts, for HTTP/1.1."""
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
