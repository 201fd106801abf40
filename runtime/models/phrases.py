"""Small texts of the stand-in: what a field is meant for, questions, answers, instructions."""

from __future__ import annotations

import re
from random import Random
from typing import Literal

from dpipe.runtime.models.passages import is_cjk

Kind = Literal["empty", "quote", "question", "answer", "phrase"]

_EMPTY = re.compile(r"\bempty\b|留空|为空", re.IGNORECASE)
_QUOTE = re.compile(r"quot|verbatim|evidence|excerpt|citation|引用|原文|证据|摘录", re.IGNORECASE)
_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"answer|output|response|reply|solution|回答|答案|输出", re.IGNORECASE), "answer"),
    (
        re.compile(
            r"question|instruction|query|prompt|problem|task|问题|提问|指令|题目", re.IGNORECASE
        ),
        "question",
    ),
    (
        re.compile(r"title|topic|keyword|category|name|label|主题|标题|关键词", re.IGNORECASE),
        "phrase",
    ),
)
_WORD = re.compile(r"[^\W\d_][\w-]{3,}")
_CLAUSES = re.compile("[，,、；：:。！？]")
_COMMON = frozenset(
    """
    this that these those with from have been were will would their there which what when where
    while into than then them they each other some such only also more most very must does about
    after before between because under over your without something nothing anything every always
    never within whose outside inside itself themselves being here just like make makes gives
    """.split()  # noqa: SIM905
)
_QUESTIONS = (
    "How are {0}, {1} and {2} connected?",
    "What do {0} and {1} have to do with {2}?",
    "What is the role of {1} where {0} meets {2}?",
    "What should one know about {0}, {1} and {2}?",
    "In what way do {0}, {1} and {2} belong together?",
)
_QUESTIONS_ZH = ("关于“{0}”，有哪些要点？", "如何理解“{0}”？", "“{0}”说明了什么？")
_LEADS = ("", "In short: ", "In other words: ", "Put simply: ", "To be precise: ", "Briefly: ")
_LEADS_ZH = ("", "简而言之，", "换句话说，", "具体来说，", "总的来说，")
_SUBJECTS = (
    "photosynthesis", "compound interest", "the water cycle", "binary search", "plate tectonics",
    "a balanced diet", "time zones", "the printing press", "vaccines", "public-key cryptography",
    "supply and demand", "a good night's sleep", "the tides", "prime numbers", "soil erosion",
    "jazz harmony", "a job interview", "bridge building", "whale migration", "the tea trade",
)  # fmt: skip
_FORMS = (
    "Explain {} to a curious ten-year-old.",
    "What are the most common mistakes people make about {}?",
    "Write a short story in which {} changes somebody's mind.",
    "Give me a plan for learning about {} within a week.",
    "Compare two ways of thinking about {} and say which is better.",
    "I have to give a talk about {}. How should I begin?",
    "List the key facts about {} and why each of them matters.",
    "Design three quiz questions with answers about {}.",
)


def kind_of(name: str, description: str) -> Kind:
    """What a text field is meant for: its name tells before its description."""
    if _EMPTY.search(description):
        return "empty"
    if _QUOTE.search(f"{name} {description}"):
        return "quote"
    for words in (name, description):
        for pattern, kind in _KINDS:
            if pattern.search(words):
                return kind
    return "answer"


def question(sentence: str, dice: Random) -> str:
    """A question made from the words of a sentence."""
    if is_cjk(sentence):
        return dice.choice(_QUESTIONS_ZH).format(_longest_clause(sentence))
    words = _key_words(sentence)
    if len(words) < 3:
        return f"What is meant by “{on_one_line(sentence)[:80]}”?"
    return dice.choice(_QUESTIONS).format(*words)


def phrase(sentence: str) -> str:
    """A few words that a sentence is about."""
    return (
        _longest_clause(sentence)
        if is_cjk(sentence)
        else " ".join(_key_words(sentence)[:2]) or "this"
    )


def instruction(dice: Random) -> str:
    """What a person may ask, made up where there is no text to take it from."""
    return dice.choice(_FORMS).format(dice.choice(_SUBJECTS))


def led_in(sentence: str, dice: Random) -> str:
    leads = _LEADS_ZH if is_cjk(sentence) else _LEADS
    return dice.choice(leads) + on_one_line(sentence)


def joined(one: str, other: str) -> str:
    """Two sentences, one after the other."""
    return f"{on_one_line(one)}{'' if is_cjk(one) else ' '}{on_one_line(other)}"


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def _key_words(sentence: str) -> list[str]:
    """The three longest words, or fewer, in the order in which they stand."""
    words = dict.fromkeys(_WORD.findall(sentence))
    telling = [word for word in words if word.lower() not in _COMMON]
    longest = sorted(telling, key=len, reverse=True)[:3]
    return [word for word in telling if word in longest][:3]


def _longest_clause(sentence: str) -> str:
    return max(_CLAUSES.split(sentence), key=len).strip()[:20]
