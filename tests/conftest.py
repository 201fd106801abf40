"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

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
