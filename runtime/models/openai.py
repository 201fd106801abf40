"""Any OpenAI-compatible endpoint. The only file that knows the openai SDK.

The SDK gives configuration: base URL, headers, authentication, proxies of the environment. What
is sent and how a reply is read is in ``wire``, how bytes travel in ``transport``, what an error
means in ``statuses``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import openai
import trio
from openai import AsyncOpenAI, Omit, RequestOptions

from dpipe.lang.types import Type
from dpipe.runtime.models import wire
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.protocol import Reply, Request, Unavailable
from dpipe.runtime.models.statuses import Who, blames_schema, is_filtered, raise_for
from dpipe.runtime.models.transport import Answer, Road


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

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not texts:
            return []
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

    async def embed(self, texts: Sequence[str], extra: Mapping[str, Any]) -> list[list[float]]:
        body = wire.embedding_body(self._who.id, texts, extra)
        answer = await self._post(wire.EMBEDDINGS, body)
        if answer.status != 200:
            raise_for(answer, self._who)
        try:
            return wire.vectors_of(answer.body, len(texts))[0]
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


def least_busy(endpoints: Sequence[Endpoint]) -> Endpoint:
    return min(endpoints, key=lambda endpoint: endpoint.in_flight)


def _endpoints(name: str, id: str, options: ModelOptions) -> list[Endpoint]:
    return [
        Endpoint(Who(name, id, url, options.key), _road(url, options), options.timeout)
        for url in options.url
    ]


def _road(url: str, options: ModelOptions) -> Road:
    return SdkRoad(_client(url, options), keyless=options.key is None)


def _client(url: str, options: ModelOptions) -> AsyncOpenAI:
    """The SDK's client, without retries of its own."""
    return AsyncOpenAI(
        base_url=url,
        api_key=options.key.reveal().strip() if options.key else "none",
        timeout=options.timeout,
        max_retries=0,
    )
