"""A key that an endpoint sends back is in no reply."""

from __future__ import annotations

from base64 import b64encode

import pytest

from dpipe.runtime.models.redaction import Redaction
from dpipe.runtime.secrets import Secret

KEY = "sk-proj/4f9A+7c2e-Zz81"


@pytest.mark.parametrize("before", ["", "B", "Bearer ", "key="])
@pytest.mark.parametrize("behind", ["", " ", "!?"])
def test_no_form_of_a_key_stays(before: str, behind: str) -> None:
    redact = Redaction(Secret(KEY, "LLM_KEY"))
    encoded = b64encode(f"{before}{KEY}{behind}".encode())
    cleaned = redact(b'{"a": "' + encoded + b'"}')
    assert b"***" in cleaned
    # what is left is at most the sextets that the key shares with its neighbours
    assert all(encoded[at : at + 8] not in cleaned for at in range(8, len(encoded) - 12))


def test_the_key_itself_is_replaced_wherever_it_stands() -> None:
    redact = Redaction(Secret(KEY, "LLM_KEY"))
    assert redact(f"use {KEY}, or {KEY}.".encode()) == b"use ***, or ***."
    assert redact(KEY.encode().hex().encode()) == b"***"


def test_a_reply_without_it_is_the_same_object() -> None:
    body = b'{"text": "nothing"}'
    assert Redaction(Secret(KEY, "LLM_KEY"))(body) is body
    assert Redaction(None)(body) is body


def test_a_word_in_the_place_of_a_key_may_stand_in_texts() -> None:
    assert Redaction(Secret("EMPTY", "LLM_KEY"))(b"the EMPTY set") == b"the EMPTY set"
