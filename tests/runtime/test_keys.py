"""What tells two calls apart in the journal, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from dpipe.lang.types import FLOAT, INT, STR, Field, Float, Int, List, Record, Type
from dpipe.runtime.keys import draw_key, options_meant, question_key, request_key, vector_key
from dpipe.runtime.models.protocol import ImagePart, Message, Request, TextPart

QA = Record((Field("question", STR, "what is asked"), Field("answer", STR)), name="QA")


def request(
    *messages: Message, raw: str | None = None, result: Type = QA, **options: Any
) -> Request:
    return Request(messages or (Message("user", "hello"),), raw, result, options)


def key(*messages: Message, **rest: Any) -> bytes:
    return key_from("model", request(*messages, **rest))


def key_from(scope: str, request: Request) -> bytes:
    question = question_key(request.messages, request.raw, request.result)
    return request_key(scope, options_meant(request.options), question)


def test_a_key_is_sixteen_bytes_and_the_same_each_time() -> None:
    assert key() == key()
    assert len(key()) == 16


def test_a_key_is_the_same_in_every_release() -> None:
    assert key(temperature=0.5).hex() == "62e805f74766f3350fee8e8861d77b03"
    assert draw_key(b"\0" * 16, (0, 1)).hex() == "87e28695571d5d9b1ad930a728ab4ed7"


@pytest.mark.parametrize(
    "other",
    [
        key(Message("system", "hello")),
        key(Message("user", "hello ")),
        key(Message("user", "hello"), Message("user", "hello")),
        key(Message("user", (ImagePart("hello"),))),
        key(raw="hello"),
        key(result=STR),
        key(result=List(QA)),
        key(temperature=0),
        key(stop=["a"]),
    ],
)
def test_what_the_endpoint_would_see_is_in_the_key(other: bytes) -> None:
    assert other != key()


def test_the_scope_is_in_the_key() -> None:
    assert key_from("simulated:model", request()) != key_from("model", request())


def test_texts_do_not_run_into_each_other() -> None:
    one = key(Message("user", "ab"), Message("user", "c"))
    assert one != key(Message("user", "a"), Message("user", "bc"))
    parts = key(Message("user", (TextPart("a"), TextPart("b"))))
    assert parts != key(Message("user", (TextPart("a"), ImagePart("b"))))
    assert key(Message("user", (TextPart("a"),)), Message("text", "b")) != parts


def test_a_text_and_its_only_part_are_one_request() -> None:
    assert key(Message("user", (TextPart("hello"),))) == key(Message("user", "hello"))


def test_the_token_limit_is_not_in_the_key() -> None:
    assert key(max_tokens=100) == key(max_tokens=200) == key()


def test_the_order_of_options_is_not_in_the_key() -> None:
    one = key(temperature=0.5, logit_bias={"1": 1, "2": 2})
    assert one == key(logit_bias={"2": 2, "1": 1}, temperature=0.5)


def test_equal_numbers_are_one_option() -> None:
    assert key(temperature=1) == key(temperature=1.0)
    assert key(stop=[1]) == key(stop=[1.0])
    assert key(temperature=1) != key(temperature=1.5)
    assert key(logprobs=True) != key(logprobs=1)


def test_the_name_of_a_type_is_not_in_the_key() -> None:
    assert key(result=QA) == key(result=Record(QA.fields, name="Pair"))


def test_descriptions_and_the_order_of_fields_are_in_the_key() -> None:
    question, answer = QA.fields
    assert key(result=Record((answer, question))) != key()
    assert key(result=Record((Field("question", STR, "what else"), answer))) != key()


def test_ranges_are_in_the_key_by_value() -> None:
    assert key(result=Int(1, 10)) != key(result=INT)
    assert key(result=Float(1, 10)) == key(result=Float(1.0, 10.0)) != key(result=FLOAT)


def test_plain_text_and_a_record_around_text_are_two_requests() -> None:
    assert key(result=STR) != key(result=Record((Field("value", STR),)))


def test_half_a_surrogate_pair_has_a_key() -> None:
    assert key(Message("user", "\ud83d")) != key(Message("user", "\ud83e"))


def test_draws_are_told_apart() -> None:
    draws = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (10,), (0, 10)]
    assert len({draw_key(key(), draw) for draw in draws}) == len(draws)


def test_vectors_are_known_by_embedder_and_text() -> None:
    assert vector_key("e", "text") == vector_key("e", "text")
    assert len({vector_key("e", "text"), vector_key("f", "text"), vector_key("e", "Text")}) == 3
