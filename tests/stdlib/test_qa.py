"""When a fact touches a topic."""

from __future__ import annotations

import pytest

from dpipe.stdlib.qa import touches


@pytest.mark.parametrize(
    ("fact", "topics"),
    [
        ("Tides last six hours.", ["The TIDE of the Wadden Sea"]),
        ("月球引起潮汐。", ["潮汐的成因"]),
        ("潮汐は月による。", ["潮汐"]),
        ("ＧＰＳ needs four satellites.", ["gps receivers"]),
        ("Приливы зависят от Луны.", ["прилив"]),
        ("Whatever it tells.", ["", "?!"]),
    ],
)
def test_a_word_of_a_topic_is_met(fact: str, topics: list[str]) -> None:
    assert touches(fact, topics)


@pytest.mark.parametrize(
    ("fact", "topics"),
    [
        ("Copper is red.", ["The tide"]),
        ("The art of war.", ["The start of the tide"]),
        ("A carbon atom.", ["A car"]),
        ("铜的颜色是红的。", ["潮汐的成因"]),
        ("The king with whom they went.", ["What they did with the tide"]),
        ("他的书和我的笔。", ["我的国家"]),
    ],
)
def test_common_words_and_parts_of_words_are_no_topic(fact: str, topics: list[str]) -> None:
    assert not touches(fact, topics)
