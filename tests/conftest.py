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
