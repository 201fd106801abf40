"""The transport against nginx with TLS, in front of the tests' model server."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from dpipe.runtime.errors import EndpointRefused
from dpipe.runtime.models.openai import OpenAIModel
from dpipe.runtime.models.protocol import RejectedRequest, Unavailable
from dpipe.runtime.secrets import Secret
from tests.runtime.openai_models import KEY, asking, model_of
from tests.server import Server

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx, of the system's packages")

CONFIGURATION = """
daemon off;
worker_processes 1;
error_log stderr error;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  log_format conn '$connection $connection_requests $status $ssl_protocol';
  access_log {folder}/access.log conn;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    client_max_body_size 20k;
    {settings}
    location / {{
      proxy_pass {backend};
      proxy_http_version 1.1;
    }}
  }}
}}
"""


class Nginx:
    """A running nginx, as a test sees it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"https://127.0.0.1:{port}/v1"
        self._log = folder / "access.log"

    def served(self) -> list[list[str]]:
        """Connection, number on it, status and TLS version of each request."""
        return [line.split() for line in self._log.read_text().splitlines()]


@contextmanager
def fronting(folder: Path, certificate: Path, backend: str, settings: str = "") -> Iterator[Nginx]:
    """An nginx before the server at ``backend``, gone when the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    written = CONFIGURATION.format(
        folder=folder, port=port, certificate=certificate, backend=backend, settings=settings
    )
    (folder / "nginx.conf").write_text(written)
    command = [NGINX or "", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port)
            yield Nginx(folder, port)
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def front(
    tmp_path: Path, certificate: Path, model_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """``front(settings)``: nginx before the tests' model server, its certificate trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    root = model_server.url.removesuffix("/v1")
    return lambda settings="", backend=root: fronting(tmp_path, certificate, backend, settings)


def run(model: OpenAIModel, calls: int, *, at_once: int = 1, pause: float = 0) -> list[str]:
    """The texts of so many replies."""
    texts: list[str] = []

    async def some(numbers: range) -> None:
        for at in numbers:
            texts.append((await model.complete(asking(f"What of stone {at}?"))).text)
            await trio.sleep(pause)

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for start in range(at_once):
                    nursery.start_soon(some, range(start, calls, at_once))
            await model.aclose()

    trio.run(main)
    return texts


def trouble(model: OpenAIModel, text: str = "What of stone 1?") -> Exception:
    """What one call raises."""

    async def main() -> Exception:
        try:
            with trio.fail_after(20):
                await model.complete(asking(text))
        except (Unavailable, RejectedRequest, EndpointRefused) as error:
            return error
        finally:
            await model.aclose()
        raise AssertionError

    return trio.run(main)


def test_a_thousand_calls_over_tls_take_as_many_connections_as_run_at_once(
    front: Callable[..., Any],
) -> None:
    with front("keepalive_requests 10000;") as nginx:
        assert len(run(model_of(nginx.url), 1000, at_once=20)) == 1000
    served = nginx.served()
    assert len(served) == 1000
    assert {status for _, _, status, _ in served} == {"200"}
    assert {protocol for *_, protocol in served} <= {"TLSv1.2", "TLSv1.3"}
    assert len({connection for connection, *_ in served}) <= 20


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_both_versions_of_tls_keep_their_connections(
    front: Callable[..., Any], protocol: str
) -> None:
    with front(f"ssl_protocols {protocol};") as nginx:
        run(model_of(nginx.url), 20)
    assert {told for *_, told in nginx.served()} == {protocol}
    assert len({connection for connection, *_ in nginx.served()}) == 1


def test_connections_that_nginx_ends_cost_no_attempt(front: Callable[..., Any]) -> None:
    """It ends them after some requests, and when they are silent for a while."""
    with front("keepalive_requests 7;") as nginx:
        run(model_of(nginx.url), 100, at_once=5)
    assert len({connection for connection, *_ in nginx.served()}) >= 14
    assert len(nginx.served()) == 100


def test_connections_that_were_silent_for_too_long_cost_no_attempt(
    front: Callable[..., Any],
) -> None:
    with front("keepalive_timeout 50ms;") as nginx:
        run(model_of(nginx.url), 5, pause=0.1)
    assert [number for _, number, *_ in nginx.served()] == ["1"] * 5


def test_answers_that_nginx_sends_in_chunks_or_compresses_are_read(
    front: Callable[..., Any],
) -> None:
    settings = "gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;"
    with front(settings) as nginx:
        assert all(run(model_of(nginx.url), 20))


def test_a_server_that_is_gone_behind_nginx_is_passing_trouble(
    front: Callable[..., Any],
) -> None:
    with front(backend="http://127.0.0.1:9") as nginx:
        error = trouble(model_of(nginx.url))
    assert isinstance(error, Unavailable)
    assert (error.kind, error.status) == ("server", 502)


def test_a_prompt_that_nginx_finds_too_long_is_rejected(front: Callable[..., Any]) -> None:
    with front() as nginx:
        error = trouble(model_of(nginx.url), "long " * 100_000)
    assert isinstance(error, RejectedRequest)
    assert "413" in error.message


def test_a_certificate_that_is_not_trusted_is_one_line_with_a_way_out(
    front: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with front() as nginx:
        monkeypatch.delenv("SSL_CERT_FILE")
        error = trouble(model_of(nginx.url, key=Secret(KEY, "K")))
        monkeypatch.undo()
    assert isinstance(error, EndpointRefused)
    place = nginx.url.removeprefix("https://").removesuffix("/v1")
    assert error.message.startswith(f"the certificate of {place} is not trusted: self")
    assert "SSL_CERT_FILE" in (error.hint or "")
    assert nginx.served() == []


def test_a_certificate_of_another_host_is_not_taken(front: Callable[..., Any]) -> None:
    with front() as nginx:
        error = trouble(model_of(nginx.url.replace("127.0.0.1", "localhost")))
    assert isinstance(error, EndpointRefused)
    assert "Hostname mismatch" in error.message


def test_plain_http_to_a_port_with_tls_is_told(front: Callable[..., Any]) -> None:
    with front() as nginx:
        error = trouble(model_of(nginx.url.replace("https:", "http:")))
    assert "plain HTTP request was sent to HTTPS port" in str(error)
