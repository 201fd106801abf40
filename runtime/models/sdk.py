"""How an endpoint is reached. The only file that knows the openai SDK.

The SDK gives configuration: base URL, headers, authentication, proxies of the environment.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai
from openai import AsyncOpenAI, Omit, RequestOptions

from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.protocol import Unavailable, Unreachable
from dpipe.runtime.models.transport import (
    PATIENCE,
    FirstRoad,
    Origin,
    Pool,
    Road,
    handshake_failed,
    reason_of,
)


def road_to(url: str, key: str | None, timeout: float) -> Road:
    """The way to an endpoint: the fast one, where that speaks what is needed."""
    client = _client(url, key, timeout)
    slow = SdkRoad(client, keyless=key is None)
    if not _is_plain(url):
        return slow
    return FirstRoad(Pool(_origin(client, keyless=key is None)), slow)


_NO_KEY: Any = {"Authorization": Omit()}
_NO_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


class SdkRoad:
    """Posts through the SDK's own HTTP client, which speaks everything and is slow.

    It follows no redirect: a run goes where its program says and nowhere else.
    """

    def __init__(self, client: AsyncOpenAI, *, keyless: bool) -> None:
        self._client = client
        self._options: RequestOptions = {"follow_redirects": False}
        if keyless:
            self._options["headers"] = _NO_KEY

    async def post(self, path: str, body: bytes) -> Answer:
        post, options = self._client.post, self._options
        return await self._answered(
            lambda: post(path, content=body, cast_to=httpx2.Response, options=options)
        )

    async def get(self, path: str) -> Answer:
        get, options = self._client.get, self._options
        return await self._answered(lambda: get(path, cast_to=httpx2.Response, options=options))

    async def _answered(self, ask: Callable[[], Awaitable[httpx2.Response]]) -> Answer:
        try:
            response = await ask()
        except openai.APIStatusError as error:
            response = error.response
        except openai.APITimeoutError:
            raise Unavailable("the request timed out", kind="timeout") from None
        except openai.APIConnectionError as error:
            return self._without_answer(error)
        return Answer(response.status_code, dict(response.headers), response.content)

    def _without_answer(self, error: openai.APIConnectionError) -> Answer:
        """A proxy that wants a login has answered in the endpoint's place; the rest is trouble."""
        causes = list(_causes(error))
        told = str(causes[0]) if causes else str(error)
        url = self._client.base_url
        where = f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        if any(isinstance(each, httpx2.ProxyError) for each in causes):
            if told.startswith("407"):
                return Answer(407, {}, b"")
            raise Unreachable(f"the proxy gives no connection to {url.host}: {told}")
        for each in causes:
            if isinstance(each, ssl.SSLError):
                raise handshake_failed(where, each)
            if isinstance(each, OSError):
                raise Unreachable(f"no connection to {where}: {reason_of(each)}")
        raise Unavailable(f"no connection to {where}: {told}", kind="connection")

    async def aclose(self) -> None:
        await self._client.close()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What led to an error, the nearest first."""
    while (cause := error.__cause__ or error.__context__) is not None:
        yield cause
        error = cause


def _client(url: str, key: str | None, timeout: float) -> AsyncOpenAI:
    """The SDK's client, without retries of its own."""
    return AsyncOpenAI(
        base_url=url,
        api_key=key or "none",
        max_retries=0,
        http_client=httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout, connect=PATIENCE, pool=None), limits=_NO_LIMITS
        ),
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
        url.raw_host.decode("ascii"),
        url.port or (443 if secure else 80),
        url.raw_path.decode("ascii").rstrip("/"),
        headers,
        _tls_context() if secure else None,
    )


def _tls_context() -> ssl.SSLContext:
    """What the SDK's HTTP client trusts, for HTTP/1.1."""
    context = httpx2.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
