"""The Python behind ``std.filter``: refusals, questions that are answers, languages, ROUGE-L.

Patterns look at how a text begins, for "cannot" and its like are in good answers too.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# -- refusals ------------------------------------------------------------------------------------

_SHORT = 80
"""Words up to which a reply that begins as a refusal is nothing else; a longer one answers."""

_CANNOT = (
    r"(?:i|we)(?:\s+am|\s+are|'m|'re)?\s+"
    r"(?:can(?:no|')?t|can\s+not|could(?:\s+not|n't)|won't|will\s+not|unable\s+to|not\s+able\s+to"
    r"|must\s+decline(?:\s+to)?|don't\s+feel\s+comfortable)"
)
_DO = (
    r"\s+(?:\w+ly\s+)?(?:answer|help|assist|provide|comply|fulfil+|determine|continue|discuss|share"
    r"|generate|create|writ(?:e|ing)|access|engage|support|offer|do\s+that|be\s+answered)\b"
)
_SORRY = (
    r"(?:(?:i'm|i\s+am|we're|we\s+are)\s+(?:very\s+|so\s+)?(?:sorry|afraid)"
    r"|(?:my\s+)?apologies|i\s+apologi[sz]e|sorry|unfortunately)"
)
_AI = r"as\s+an?\s+(?:ai|artificial|large|language)\b[^,.]{0,40},?\s*"
_NO_SOURCE = (
    r"(?:the\s+(?:given\s+|provided\s+)?(?:text|passage|context|document|article)"
    r"\s+(?:does\s+not|doesn't)\s+(?:contain|provide|mention|say|specify|state|give)"
    r"|there\s+is\s+(?:not\s+enough|no|insufficient)\s+information"
    r"|(?:this|the|your)\s+question\s+(?:cannot|can't)\s+be\s+answered)"
)

_ZH_SORRY = r"(?:(?:我)?(?:很|非常|十分|实在)?(?:抱歉|遗憾)|对不起|不好意思)"
_ZH_AI = r"(?:作为(?:一个|一名)?[^，。]{0,12}(?:AI|人工智能|语言模型|助手)[^，。]{0,6}，?)"
_ZH_CANNOT = r"(?:无法|不能|不可以|没办法|没有办法|不便|难以|不会)"
_ZH_DO = (
    r"(?:回答|解答|确定|判断|推断|得知|提供|给出|协助|帮助|帮您|帮你|完成|满足|访问|透露|讨论|生成)"
)
_ZH_OBJECT = (
    r"(?:您的|你的|该|这个|这一|此|上述|相关|准确的?|具体的?)*"
    r"(?:问题|请求|要求|答案|回答|信息|内容)?"
)
_ZH_NO_SOURCE = (
    r"(?:根据)?(?:文中|文章中?|原文中?|文本中?|资料中?|上下文中?|材料中?)(?:并)?(?:没有|未)"
    r"(?:明确)?(?:提到|提及|说明|给出|提供|涉及)"
)

_APOLOGY = re.compile(
    rf"{_SORRY}\b[^.!?]{{0,60}}?(?:{_CANNOT}{_DO}|{_NO_SOURCE})"
    rf"|{_ZH_SORRY}[^。！？]{{0,30}}?(?:{_ZH_CANNOT}[^。！？，]{{0,8}}{_ZH_DO}|{_ZH_NO_SOURCE})"
)
_BARE = re.compile(
    rf"(?:{_AI})?(?:{_CANNOT}{_DO}|{_NO_SOURCE})"
    rf"|{_ZH_AI}?(?:我|我们)?{_ZH_CANNOT}(?:直接|准确|给出|提供|做出|根据[^，。]{{1,20}}?)*{_ZH_DO}"
    rf"{_ZH_OBJECT}(?:[。！!.，,]|$)"
    rf"|{_ZH_NO_SOURCE}"
)


def refusal(text: str) -> bool:
    """Whether a reply declines to answer, by how it begins.

    With an apology it may be of any length; without one it is a refusal only if no answer
    of some length follows.
    """
    text = _plain(text)
    if _APOLOGY.match(text):
        return True
    return len(tokens(text)) <= _SHORT and _BARE.match(text) is not None


def _plain(text: str) -> str:
    """In one width and case, with straight apostrophes, without markup before the first word."""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").lower()
    return re.sub(r"^[\s\"'*_>#`\u201c-]+", "", text).replace(",", "，" if _is_han(text) else ",")


def _is_han(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text[:20])


# -- questions that are answers ------------------------------------------------------------------

_LABEL = re.compile(
    r"(?:\d+[.、)]|\W)*(?:(?:the\s+)?(?:final\s+)?(?:answer|reply|response|solution)s?(?:\s*\d+)?"
    r"|(?:参考)?(?:回答|答案|解答|回复|结果|答)\s*\d*)\s*(?:[:：]|\s+is[:\s]|\s*是[:：])",
    re.IGNORECASE,
)


def labelled_answer(text: str) -> bool:
    """Whether a text begins with a label of answers, as in "Answer: …"; "Answer this" does not."""
    return _LABEL.match(unicodedata.normalize("NFKC", text)) is not None


# -- languages -----------------------------------------------------------------------------------

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_COMMON = {
    "en": "the of and to in is that it for was are with as be this which what how you",
    "de": "der die das und ist nicht ein eine zu mit den von auf sich wie was wir für",
    "fr": "le la les des et est une dans que qui pour pas sur avec vous du au ce",
    "es": "el los las del y es una que en por con para como más qué se su al",
    "it": "il gli che di è una per con non sono della nel come più cosa dei",
    "pt": "os as do da e é um uma que em para com não como mais no na dos",
    "nl": "de het een en van is dat niet op te zijn met voor wat hoe er ook",
    "ru": "и в не на что с как это по но из для к от так же",
}
_WORDS = {
    word: [lang for lang in _COMMON if word in _COMMON[lang].split()]
    for words in _COMMON.values()
    for word in words.split()
}


def language(text: str) -> str | None:
    """The language's two-letter code by script, else by common words; null where neither tells."""
    letters = [c for c in text if c.isalpha()]
    for lang, script in _SCRIPTS:
        share = sum(bool(script.match(c)) for c in letters)
        if letters and share >= len(letters) * (0.1 if lang == "ja" else 0.3):
            return lang
    return _by_words(text)


def _by_words(text: str) -> str | None:
    votes: Counter[str] = Counter()
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        votes.update(_WORDS.get(word, ()))
    best = votes.most_common(2)
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return None
    return best[0][0]


# -- ROUGE-L -------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]|[^\W\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+"
)


def tokens(text: str) -> list[str]:
    """Words in lower case; where words are not spaced, characters."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def rouge_l(text: str, reference: str) -> float:
    """The F-measure of ROUGE-L, by the longest common subsequence of tokens; 0 of an empty text."""
    a, b = tokens(text), tokens(reference)
    if not a or not b:
        return 0.0
    return 2 * _common(a, b) / (len(a) + len(b))


def _common(a: list[str], b: list[str]) -> int:
    """The length of the longest common subsequence, a row of the table as the bits of a number."""
    where: dict[str, int] = {}
    for place, token in enumerate(a):
        where[token] = where.get(token, 0) | 1 << place
    row = 0
    for token in b:
        met = row | where.get(token, 0)
        row = met & ~(met - (row << 1 | 1))
    return row.bit_count()
