"""What tests of several folders share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.server import Server, serving

# A busy machine is no fault of the code.
settings.register_profile("dpipe", deadline=None)
settings.load_profile("dpipe")


@pytest.fixture(scope="session")
def one_model_server() -> Iterator[Server]:
    """One for the whole run, since starting it takes a quarter of a second."""
    with serving() as server:
        yield server


@pytest.fixture
def model_server(one_model_server: Server) -> Server:
    """A model server without latency or key, its counts at zero."""
    one_model_server.reset()
    return one_model_server


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's environment says, loopback is reached without a proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that it signed itself, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    both = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=tests -addext subjectAltName=IP:127.0.0.1 -keyout {both} -out {both}.crt"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    both.write_text(both.read_text() + Path(f"{both}.crt").read_text())
    return both
