"""Whether a reply declines to answer, in English or Chinese.

A refusal is short and begins with it. What merely speaks of refusing (a story, an answer about
what somebody cannot do) begins otherwise, goes on for long, or names something else that cannot
be done.
"""

from __future__ import annotations

import re

_LONGEST = 700

_SORRY = (
    r"(?:(?:i['’]m|i am) (?:really |very |so |truly |deeply )?sorry|sorry"
    r"|(?:my )?apologies|i apologi[sz]e|unfortunately|regrettably)"
)
_AS_AI = r"as an? (?:ai|artificial intelligence|(?:large )?language model)[^,.]{0,60},"
_CANNOT = (
    r"(?:can(?:no|['’])t|can not|could(?: no|n['’])t|won['’]t|will not"
    r"|am (?:not able|unable) to|['’]m (?:not able|unable) to"
    r"|(?:must|have to|need to) (?:decline|refuse)(?: to)?|decline to|refuse to)"
)
_HELP = r"(?:help|assist)(?: you)?(?= with\b| in\b|[.,!;]|$)"
_SERVE = (
    r"(?:comply|fulfil+|proceed|continue|engage|participate)"
    r"(?= (?:with|in|your|this|that)\b|[.,!;]|$)"
)
_WHAT = (
    r"(?:(?:this|that|these|such|the|your|content of (?:this|that)) (?:\w+ ){0,3}?"
    r"(?:kind|requests?|questions?|content|information|instructions?|material|topics?|tasks?"
    r"|prompts?|advice|things?)\b|(?:that|this)(?=[.,!;]|$| for you))"
)
_MAKE = (
    r"(?:provide|create|generate|write|produce|share|give|offer|answer|respond to|discuss"
    rf"|complete|do|support|process|assist|help)\b[^.!?\n]{{0,80}}?\b{_WHAT}"
)
_ADVERB = r"(?:(?:just|simply|really|also|not|currently|ethically) )?"

_ENGLISH = re.compile(
    rf"(?:{_SORRY}[,.!;:]? *(?:but |however,? )?)?(?:{_AS_AI} *)?"
    rf"(?:i|we) ?{_ADVERB}{_CANNOT} {_ADVERB}(?:{_HELP}|{_SERVE}|{_MAKE})",
    re.IGNORECASE,
)
_BUT_I = (
    r"我(?:们)?(?:目前|暂时|现在|确实|恐怕)?(?:不能|无法|無法|没办法|沒辦法|不可以|不便|拒绝|拒絕)(?:够|夠)?"
    r"(?:为您|为你|向您|向你|给您|给你|對此|对此|就此|在此|按照|继续)*"
    r"(?:帮助|幫助|帮[您你]|协助|協助|提供|回答|回应|回應|答复|满足|滿足|完成|执行|生成|创作|编写|撰写|讨论|討論|处理|参与|遵从)"
)
_CHINESE = re.compile(
    r"(?:我?(?:非常|很|十分|真的|实在)?(?:抱歉|对不起|對不起|不好意思)[，,。！!、\s]*(?:但是?|不过)?"
    r"|(?=作为|作為|身为|我))"
    r"(?:(?:作为|作為|身为)[^。！!\n]{0,24}?[，,]?\s*)?"
    rf"{_BUT_I}"
)
# Without an apology it must say that it is the request that it will not serve.
_CHINESE_PLAIN = re.compile(
    r"我[^。！!\n]*(?:请求|請求|要求|内容|內容|问题|問題|话题|任务|信息|您|你)"
)


def is_refusal(text: str) -> bool:
    """Whether the text as a whole declines to answer."""
    start = text.strip()
    if len(start) > _LONGEST:
        return False
    if _CHINESE.match(start):
        return not start.startswith("我") or bool(_CHINESE_PLAIN.match(start))
    return bool(_ENGLISH.match(start))
