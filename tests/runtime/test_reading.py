"""Replies, read: every outcome, and nothing made up."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dpipe.lang import types
from dpipe.lang.types import BOOL, INT, JSON, STR, Enum, Field, Int, List, Optional, Record
from dpipe.runtime.models.protocol import Reply
from dpipe.runtime.reading import Failed, Ok, read_reply, split_thought

GRADE = Record((Field("score", Int(1, 10)), Field("reason", STR)), name="Grade")
GOOD = {"score": 7, "reason": "sound"}
GOOD_JSON = json.dumps(GOOD)


def read(text: str, result: types.Type = GRADE) -> Any:
    """The value, or the outcome."""
    got = read_reply(Reply(text), result)
    return got.value if isinstance(got, Ok) else got.outcome


# -- what stands around the JSON ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        GOOD_JSON,
        f"\n\n{GOOD_JSON}\n",
        f"```json\n{GOOD_JSON}\n```",
        f"Here is my grade:\n\n```\n{GOOD_JSON}\n```\nTell me if you need more.",
        f"Sure! {GOOD_JSON} I hope that helps [really].",
        f"As shown in [2 of them] and {{braces}}: {GOOD_JSON}",
        f'<think>maybe {{"score": 1}}?</think>\n{GOOD_JSON}',
        f"I wonder about 7.\n</think>\n\n{GOOD_JSON}",
        '{"score": 7, "reason": "sound",}',
        '{"score": 7.0, "reason": "sound"}',
        f"{GOOD_JSON}\n\nOnce more: {GOOD_JSON}",
    ],
)
def test_what_stands_around_the_json_does_not_matter(text: str) -> None:
    assert read(text) == GOOD


def test_a_raw_line_end_in_a_string_is_read_as_itself() -> None:
    assert read('{"score": 7, "reason": "one\ntwo",}') == {"score": 7, "reason": "one\ntwo"}


def test_a_list_may_come_bare_or_in_an_object_of_one_field() -> None:
    for text in ("[1, 2]", '{"items": [1, 2]}', '{"numbers": [1, 2]}', "They are [1, 2,]."):
        assert read(text, List(INT)) == [1, 2]


def test_a_scalar_may_come_bare_wrapped_or_decorated() -> None:
    mood = Enum(("good", "bad"))
    for text in ("good", '"good"', '{"value": "good"}', "**good**.", "```\ngood\n```"):
        assert read(text, mood) == "good"
    for text in ("4", '{"value": 4}', "**4**", "```json\n4\n```"):
        assert read(text, INT) == 4
    assert read("true", BOOL) is True
    assert read('{"value": null}', Optional(INT)) is None


def test_any_json_is_taken_for_json() -> None:
    assert read('{"value": {"a": [1]}}', JSON) == {"a": [1]}
    assert read('{"a": [1]}', JSON) == {"a": [1]}


# -- what is no answer ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("<think>I never came to an end", "empty"),
        ("no JSON at all", "malformed"),
        ('{"score": 7, "reason": "so', "malformed"),
        ('{"score": 7', "malformed"),
        ('[{"score": 7, "reason": "a"}, {"score"', "malformed"),
        ('{"score": 7 "reason": "sound"}', "malformed"),
        ('{"score": nope, "inner": {"score": 7, "reason": "sound"}}', "malformed"),
        ('{"score": 7, "reason": "a"} or {"score": 8, "reason": "b"}', "malformed"),
        ('{"score": 1e999, "reason": "much",}', "malformed"),
        ('{"score": 7, "reason": "\\ud800"}', "malformed"),
        ("[" * 5000, "malformed"),
        ("[" * 5000 + "]" * 5000, "malformed"),
        ('{"score": 11, "reason": "too good"}', "invalid"),
        ('{"score": "7", "reason": "a text"}', "invalid"),
        ('{"reason": "no score"}', "invalid"),
        ("7", "invalid"),
    ],
)
def test_what_is_no_answer_ends_in_its_outcome(text: str, outcome: str) -> None:
    assert read(text) == outcome


def test_a_broken_reply_is_never_read_as_a_shorter_one() -> None:
    whole = json.dumps([GOOD, GOOD, {"score": 3, "reason": 'a } and a ] and a "'}])
    for cut in range(1, len(whole)):
        assert read(whole[:cut], List(GRADE)) == "malformed", whole[:cut]


def test_an_invalid_answer_tells_the_path_of_the_part_that_is_wrong() -> None:
    got = read_reply(Reply('{"items": [{"score": 99, "reason": ""}]}'), List(GRADE))
    assert isinstance(got, Failed)
    assert got.message.startswith("[0].score: ")


def test_a_malformed_answer_tells_where_it_broke() -> None:
    got = read_reply(Reply('{"score": 7\n "reason": ""}'), GRADE)
    assert isinstance(got, Failed)
    assert "line 2" in got.message


@pytest.mark.parametrize("result", [GRADE, STR])
def test_the_finish_is_looked_at_before_the_text(result: types.Type) -> None:
    outcomes = [
        read_reply(Reply(GOOD_JSON, "length"), result),
        read_reply(Reply(GOOD_JSON, "filter"), result),
        read_reply(Reply(GOOD_JSON, "stop", refusal="I would rather not."), result),
    ]
    assert [got.outcome for got in outcomes if isinstance(got, Failed)] == [
        "truncated",
        "filtered",
        "refused",
    ]


# -- text ----------------------------------------------------------------------------------------


def test_text_is_given_as_it_is() -> None:
    text = '  Two lines.\n\n{"not": "parsed"}  '
    assert read(text, STR) == text


def test_thought_is_taken_from_text_and_given_as_reasoning() -> None:
    got = read_reply(Reply("<think>\nhm\n</think>\n\nParis."), STR)
    assert got == Ok("Paris.", "hm")


def test_a_reply_with_a_reasoning_field_keeps_it() -> None:
    got = read_reply(Reply("<think>a</think>Paris.", reasoning="the field"), STR)
    assert got == Ok("Paris.", "the field")


def test_a_text_about_think_tags_keeps_them() -> None:
    for text in ("Write `</think>` to end it.", "Put <think>x</think> before the answer."):
        assert split_thought(text) == (text, None)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I can’t assist with this request.",
        "I cannot create this type of content.",
        "I won't write that kind of content.",
        "As an AI language model, I cannot provide that information.",
        "I'm unable to comply with this request.",
        "Unfortunately, I cannot provide instructions for that.",
        "抱歉，我无法协助完成这个请求。",
        "作为一个人工智能，我不能提供此类内容。",
        "我无法回答这个问题。",
        "我很抱歉，但我不能帮助你。",
        "對不起，我無法協助這個請求。",
    ],
)
def test_a_text_that_declines_is_refused(text: str) -> None:
    assert read(text, STR) == "refused"
    assert read(text, GRADE) == "refused"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot help but admire the view.",
        "I can't do this anymore, she wrote.",
        "Sorry, I can't make it to the party tonight.",
        "A safe model answers \"I'm sorry, but I can't help with that.\"",
        "I cannot create this recipe without eggs, so buy some first.",
        "我不能吃花生，因为我过敏。",
        "他说对不起，我不能帮助你。",
        "我无法完成作业了。",
        "I'm sorry, but I can't help with that. " + "So he said, and the story goes on. " * 40,
    ],
)
def test_a_text_that_merely_speaks_of_refusing_is_kept(text: str) -> None:
    assert read(text, STR) == text


# -- properties ----------------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), plain, min_size=2) | st.lists(plain, min_size=1))
def test_json_in_prose_reads_as_the_json_alone(value: Any) -> None:
    text = f"Here you are:\n{json.dumps(value)}\nThat is all."
    assert read(text, JSON) == value


@given(st.text(max_size=60), st.sampled_from([GRADE, List(INT), STR, JSON, Enum(("a", "b"))]))
def test_no_text_breaks_the_reader(text: str, result: types.Type) -> None:
    assert isinstance(read_reply(Reply(text), result), Ok | Failed)


@given(st.text(alphabet='{}[]",:1a \n-.e<think>/', max_size=40))
def test_no_near_json_breaks_the_reader(text: str) -> None:
    assert isinstance(read_reply(Reply(text), JSON), Ok | Failed)


answers = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text('ab "\\{}[],:\n', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab{", max_size=3), inner),
    max_leaves=10,
)


def wrapped(text: str, style: str) -> str:
    """A JSON text as models give it."""
    match style:
        case "fence":
            return f"```json\n{text}\n```"
        case "prose":
            return f"Here you are [as asked]:\n{text}"
        case "thought":
            return f'<think>maybe {{"a": 1}} or [2]?</think>\n{text}'
        case "commas":
            return re.sub(r"(?<=[^\[{])([\]}])", r",\1", text)
        case _:
            return text


@given(
    st.lists(answers) | st.dictionaries(st.text("ab{", max_size=3), answers),
    st.sampled_from(["bare", "fence", "prose", "thought"]),
    st.booleans(),
    st.sampled_from([JSON, Record((Field("a", JSON),)), List(JSON), List(Optional(INT))]),
    st.data(),
)
@settings(max_examples=400)
def test_an_answer_that_is_cut_off_anywhere_is_itself_or_none(
    value: Any, style: str, spaced: bool, result: types.Type, data: st.DataObject
) -> None:
    """Where the cut took no part of the value, it may be read; never as another value."""
    text = wrapped(json.dumps(value, indent=1 if spaced else None), style)
    cut = text[: data.draw(st.integers(0, len(text)))]
    whole, got = read(text, result), read_reply(Reply(cut), result)
    assert not isinstance(got, Ok) or got.value == whole


@given(answers, st.sampled_from(["fence", "prose", "thought", "commas"]))
def test_whatever_stands_around_it_an_answer_is_read_as_itself(value: Any, style: str) -> None:
    text = json.dumps({"a": value, "b": [value]})
    assume(style != "commas" or not re.search(r"[\]}]", json.dumps(value).strip("[]{}")))
    assert read(wrapped(text, style), JSON) == {"a": value, "b": [value]}
