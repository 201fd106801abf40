"""Endpoints that are not there, and models that they do not have: told by the first call."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
import trio

from dpipe.lang.types import STR
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.errors import EndpointRefused, UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.models.protocol import Message, Request, Unavailable, Unreachable
from dpipe.runtime.models.transport import reason_of
from tests.runtime.programs import Folder
from tests.server import serving

PROGRAM = """dpipe 1
model m = openai("MODEL", url: URL)
prompt answer(w: str) -> str { user: "{w}" }
source words: { w: str } = rows([{ w: "a" }, { w: "b" }])
sink out = words | ask(answer(w: .w), using: USING, as: .x) | jsonl("out.jsonl")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def nowhere() -> str:
    """The URL of a port on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"


def program(url: str, *, model: str = "any", using: str = "m") -> str:
    text = PROGRAM if url.startswith("[") else PROGRAM.replace("URL", f'"{url}"')
    return text.replace("URL", url).replace("MODEL", model).replace("USING", using)


def test_a_server_that_is_not_there_ends_the_run_at_once(folder: Folder, nowhere: str) -> None:
    with pytest.raises(UsageError) as raised:
        folder.run(program(nowhere))
    where = nowhere.removeprefix("http://").removesuffix("/v1")
    told = f"model `m`: no connection to {where}: connection refused, nothing answers on that port"
    assert (raised.value.code, raised.value.message) == ("P0004", told)
    assert raised.value.exit_code == 2
    assert not (folder.root / "out.jsonl").exists()


def test_what_is_in_the_journal_needs_no_server(folder: Folder, nowhere: str) -> None:
    with serving() as server:
        folder.run(program(server.url))
    rows = folder.read("out.jsonl")
    assert folder.run(program(nowhere)).exit_code == 0
    assert folder.run(program(nowhere), replay=True).exit_code == 0
    assert folder.read("out.jsonl") == rows


def test_who_has_another_in_his_place_is_not_needed(folder: Folder, nowhere: str) -> None:
    spare = f'model spare = openai("s", url: "{nowhere}")\nprompt'
    text = program(nowhere, using="fallback([m, spare])").replace("prompt", spare)
    text += f"""
model other = openai("o", url: "{nowhere}")
sink alone = words | ask(answer(w: .w), using: other, as: .x) | jsonl("b.jsonl")
"""
    with_both = folder.compiled(text)
    expressions = Expressions({}, {}, {})
    endpoints = Endpoints(
        with_both,
        ["m", "spare", "other"],
        expressions,
        tell=lambda ended: None,
        clock=lambda: 0.0,
    )
    asked = Request((Message("user", "a"),), None, STR, {})
    raised = {}
    for name, model in endpoints.models.items():
        with pytest.raises((Unavailable, EndpointRefused)) as error:
            trio.run(model._model.complete, asked)  # type: ignore[union-attr]
        raised[name] = error.type
    assert raised == {"m": Unreachable, "spare": Unreachable, "other": EndpointRefused}


def test_one_url_of_several_is_enough(folder: Folder, nowhere: str) -> None:
    with serving() as server:
        assert folder.run(program(f'["{nowhere}", "{server.url}"]')).exit_code == 0
    with pytest.raises(UsageError, match=r"no connection to .*; no connection to ") as raised:
        folder.run(program(f'["{nowhere}", "{nowhere}"]', model="other"))
    assert raised.value.code == "P0004"


def test_a_model_that_the_endpoint_does_not_have_is_told_with_what_it_has(folder: Folder) -> None:
    with serving(models=["qwen3-8b", "qwen3-32b"]) as server:
        with pytest.raises(EndpointRefused, match="has no model `qwen3-8B`") as raised:
            folder.run(program(server.url, model="qwen3-8B"))
        assert (raised.value.code, raised.value.hint) == ("P0005", "did you mean `qwen3-8b`?")
        with pytest.raises(EndpointRefused) as raised:
            folder.run(program(server.url, model="gpt"))
        assert raised.value.hint == "it has `qwen3-8b`, `qwen3-32b`"
        assert set(server.stats().paths) == {"/v1/chat/completions", "/v1/models"}


def test_a_run_that_goes_well_asks_for_no_list(folder: Folder) -> None:
    with serving() as server:
        folder.run(program(server.url))
        assert server.stats().paths == {"/v1/chat/completions": 2}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ECONNREFUSED, "Error connecting to ('127.0.0.1', 9)"), "connection refused"),
        (OSError(errno.ENETUNREACH, "Error connecting to …"), "network is unreachable"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no host of that name"),
        (OSError("all attempts to connect failed"), "all attempts to connect failed"),
    ],
)
def test_why_there_is_no_connection_is_told_in_words(error: OSError, told: str) -> None:
    assert told in reason_of(error)
    assert "('127" not in reason_of(error)
