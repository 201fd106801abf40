"""A secret gives itself away to nobody but who asks for it by name."""

from __future__ import annotations

import json
import logging
import pickle

import msgspec
import pytest

from dpipe.runtime.models.options import read_options
from dpipe.runtime.secrets import Secret

KEY = "sk-very-secret-0123456789"


def test_a_secret_is_shown_as_stars_however_it_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = Secret(KEY, "LLM_KEY")
    logging.getLogger().warning("the key is %s", secret)
    shown = [
        repr(secret),
        str(secret),
        f"{secret:>40}",
        repr([secret]),
        caplog.text,
        repr(pickle.dumps(secret)),
        json.dumps({"key": secret}, default=str),
        msgspec.json.encode({"key": secret}, enc_hook=str).decode(),
        repr(read_options("m", {"url": "http://h/v1", "key": secret})),
    ]
    assert not any(KEY in text for text in shown)
    assert all("***" in text for text in shown)


def test_a_secret_can_be_sent() -> None:
    secret = Secret(KEY, "LLM_KEY")
    assert (secret.reveal(), secret.name) == (KEY, "LLM_KEY")
    assert pickle.loads(pickle.dumps(secret)).reveal() == "***"  # noqa: S301
