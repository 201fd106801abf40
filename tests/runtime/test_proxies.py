"""Endpoints behind the proxies that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from dpipe.runtime.errors import EndpointRefused
from dpipe.runtime.models.openai import OpenAIModel
from dpipe.runtime.models.protocol import Reply, Unavailable
from dpipe.runtime.secrets import Secret
from tests.runtime.openai_models import KEY, asking, model_of
from tests.runtime.proxy import Proxy
from tests.server import Server, serving


def through(
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    *,
    login: str = "",
    calls: int = 1,
) -> list[Reply]:
    """Replies of the model at ``url``, with the proxy in the environment."""

    async def main() -> list[Reply] | Exception:
        async with proxy.serving() as address:
            address = address.replace("://", f"://{login}")
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, address)
            return await replies(model_of(url, key=Secret(KEY, "K")), calls)
        raise AssertionError

    ended = trio.run(main)
    if isinstance(ended, Exception):
        raise ended
    return ended


async def replies(model: OpenAIModel, calls: int) -> list[Reply] | Exception:
    try:
        with trio.fail_after(20):
            return [await model.complete(asking(f"What of stone {at}?")) for at in range(calls)]
    except (Unavailable, EndpointRefused) as error:
        return error
    finally:
        await model.aclose()


def test_http_goes_through_the_proxy(model_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    answers = through(proxy, monkeypatch, model_server.url, calls=3)
    assert all(reply.text for reply in answers)
    assert set(proxy.asked) == {f"POST {model_server.url}/chat/completions HTTP/1.1"}


def test_https_goes_through_a_tunnel_that_sees_no_key(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate=str(certificate), key=KEY) as server:
        proxy = Proxy()
        answers = through(proxy, monkeypatch, server.url, calls=3)
        assert all(reply.text for reply in answers)
        place = server.url.removeprefix("https://").removesuffix("/v1")
        assert proxy.asked == [f"CONNECT {place} HTTP/1.1"]
        assert KEY.encode() not in proxy.seen
        assert len(proxy.seen) > 1000


def test_a_certificate_that_is_not_trusted_is_told_behind_a_proxy_too(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serving(certificate=str(certificate)) as server,
        pytest.raises(EndpointRefused, match="is not trusted") as caught,
    ):
        through(Proxy(), monkeypatch, server.url)
    assert "SSL_CERT_FILE" in (caught.value.hint or "")


def test_hosts_of_no_proxy_are_asked_directly(
    model_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    proxy = Proxy()
    assert through(proxy, monkeypatch, model_server.url)[0].text
    assert proxy.asked == []


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_that_wants_a_login_gets_it_or_says_so(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate=str(certificate) if tls else None) as server:
        proxy = Proxy(login="me:word")
        assert through(proxy, monkeypatch, server.url, login="me:word@")[0].text
        with pytest.raises(EndpointRefused, match="proxy that wants a login") as caught:
            through(proxy, monkeypatch, server.url, login="me:wrong@")
    assert "HTTPS_PROXY=" in (caught.value.hint or "")
    assert "wrong" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_passing_trouble_and_its_login_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://me:word@127.0.0.1:9")
    ended = trio.run(replies, model_of(f"{scheme}://example.org/v1"), 1)
    assert isinstance(ended, Unavailable)
    assert ended.kind == "connection"
    assert "word" not in ended.message
