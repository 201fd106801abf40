"""What is a refusal, a labelled answer, a language, and how much two texts share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.stdlib.filter import labelled_answer, language, refusal, rouge_l


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request. " + "It would be unsafe. " * 60,
        "Unfortunately, I am unable to provide this information.",
        "As an AI language model, I cannot answer questions about the future.",
        "I cannot determine this from the text.",
        "**I won't write that.**",
        "The passage does not mention the year.",
        "There is not enough information.",
        "抱歉，我无法回答这个问题。",
        "很抱歉,根据资料无法判断具体年份。",
        "无法确定。",
        "无法回答",
        "我不能提供相关信息。",
        "作为一个人工智能助手，我无法回答该问题。",
        "文中没有提到这一点。",
    ],
)
def test_a_reply_that_declines_is_a_refusal(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris.",
        "I cannot recommend this book enough.",
        "I can't believe how the tide turns: it takes six hours.",
        "Sorry is a word that children learn early.",
        "A cell that cannot divide dies. I cannot help mentioning apoptosis.",
        "Unfortunately the bridge fell in 1940.",
        "We could not have known: the letter came on Monday.",
        "I cannot provide a diagnosis, but here is what is known. " + "Rest and drink water. " * 40,
        "在无法确定光照时，应使用闪光灯。",
        "无法确定光照时，应使用闪光灯。",
        "不能回答问题的学生可以求助老师。",
        "不会游泳的人应穿救生衣。",
        "对不起是常用的道歉用语。",
        "密码学中没有无法破解的算法。",
    ],
)
def test_an_answer_about_what_cannot_be_is_no_refusal(text: str) -> None:
    assert not refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 4",
        "answer 2: yes",
        "**Response:** …",
        "The final answer is 4",
        "答案：四",
        "答:是",
        "参考答案: 4",
        "1. 回答：好",
    ],
)
def test_a_text_that_begins_with_the_label_of_answers_is_no_question(text: str) -> None:
    assert labelled_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "Answer the following question: why?",
        "Responses to stress: what are they?",
        "Reply to this letter.",
        "回答下列问题。",
        "答题卡怎么填？",
        "结果怎么样？",
        "解答题有什么技巧？",
    ],
)
def test_a_question_about_answers_is_a_question(text: str) -> None:
    assert not labelled_answer(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What is the tide?", "en"),
        ("Was ist die Flut, und wie entsteht sie?", "de"),
        ("Qu'est-ce que la marée et pour qui est-elle ?", "fr"),
        ("¿Qué es la marea y por qué se mueve el mar?", "es"),
        ("Что такое прилив и как это объяснить?", "ru"),
        ("潮汐是怎么形成的？", "zh"),
        ("Python 的 list 和 tuple 有什么区别？", "zh"),
        ("潮の満ち引きとは何ですか", "ja"),
        ("조수는 왜 생기나요?", "ko"),
        ("x = 1 + 2", None),
        ("", None),
    ],
)
def test_a_language_is_told_by_script_and_common_words(text: str, code: str | None) -> None:
    assert language(text) == code


def test_rouge_l_counts_what_is_common_in_order() -> None:
    assert rouge_l("the cat sat", "The cat sat.") == 1
    assert rouge_l("police killed the gunman", "police kill the gunman") == 0.75
    assert rouge_l("gunman the killed police", "police killed the gunman") == 0.25
    assert rouge_l("月球引起潮汐", "潮汐由月球引起") == pytest.approx(8 / 13)
    assert rouge_l("", "a") == rouge_l("a", "!") == 0


@given(st.text(alphabet="ab c", max_size=12), st.text(alphabet="ab c", max_size=12))
def test_rouge_l_is_that_of_the_table(a: str, b: str) -> None:
    x, y = a.split(), b.split()
    table = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, one in enumerate(x):
        for j, other in enumerate(y):
            near = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else near
    expected = 2 * table[-1][-1] / (len(x) + len(y)) if x and y else 0
    assert rouge_l(a, b) == pytest.approx(expected)
