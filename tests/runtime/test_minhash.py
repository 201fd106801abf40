"""Which texts are near-duplicates."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.runtime.minhash import MISSED, MinHashIndex, banding, jaccard, shingles

STABLE = [1896068262845326987, 9989171682908395100]
WORDS = [f"word{n}" for n in range(400)]


def random_text(random: Random, length: int) -> list[str]:
    return random.choices(WORDS, k=length)


def kept(texts: list[str], threshold: float) -> list[int | None]:
    index = MinHashIndex(threshold)
    return [index.add(text) for text in texts]


def by_comparing_all(texts: list[str], threshold: float) -> list[int | None]:
    """What an index should give, by the definition."""
    known: list[np.ndarray] = []
    found: list[int | None] = []
    for text in texts:
        own = shingles(text)
        like = next((n for n, other in enumerate(known) if jaccard(other, own) >= threshold), None)
        found.append(like)
        if like is None:
            known.append(own)
    return found


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_miss_texts_at_the_threshold_rarely(threshold: float) -> None:
    bands, rows = banding(threshold)
    assert (1 - threshold**rows) ** bands <= MISSED
    assert bands * rows <= 128


def test_the_index_finds_what_comparing_all_finds() -> None:
    random = Random(1)
    texts = []
    for _ in range(60):
        words = random_text(random, 40)
        texts.append(" ".join(words))
        for changes in (1, 2, 3, 5, 8):
            near = list(words)
            for at in random.sample(range(40), changes):
                near[at] = "changed"
            texts.append(" ".join(near))
    random.shuffle(texts)
    assert kept(texts, 0.7) == by_comparing_all(texts, 0.7)


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=25))
def test_no_hit_is_false(texts: list[str]) -> None:
    known: list[str] = []
    for text, like in zip(texts, kept(texts, 0.8), strict=True):
        if like is None:
            known.append(text)
        else:
            assert jaccard(shingles(known[like]), shingles(text)) >= 0.8


def test_case_width_blanks_and_punctuation_are_no_difference() -> None:
    assert kept(["Hello,  WORLD again!", "ｈello world — again"], 1.0) == [None, 0]


def test_one_character_in_a_long_chinese_text_is_a_near_duplicate() -> None:
    text = "大型语言模型从文本中学习知识并且回答各种各样的问题" * 2
    near = text[:30] + "书" + text[31:]
    assert kept([text, near, "完全不同的另一句话在这里"], 0.8) == [None, 0, None]


def test_short_and_empty_texts_are_alike_only_where_equal() -> None:
    assert kept(["", "yes", "no", "", "yes", "!", "?"], 0.8) == [None, None, None, 0, 1, None, None]


def test_the_first_of_several_like_texts_is_named() -> None:
    text = " ".join(WORDS[:30])
    assert kept([text + " x", text + " y", text], 0.9) == [None, 0, 0]


def test_a_long_text_is_hashed_in_blocks() -> None:
    text = " ".join(random_text(Random(2), 30_000))
    assert len(shingles(text)) > 3 * 4096
    assert kept([text, text + " more"], 0.99) == [None, 0]


def test_shingles_are_the_same_in_every_run() -> None:
    assert shingles("a stable hash").tolist() == STABLE
