"""Whether a reply declines to answer, in English or Chinese.

A refusal is short and begins with it: an apology or the like, and that the request will not be
served. What merely speaks of refusing (a story, an answer about what somebody cannot do) begins
otherwise, goes on for long, or names something else that cannot be done.
"""

from __future__ import annotations

import re

_LONGEST = 700

# -- English ---------------------------------------------------------------------------------------

_AI = r"an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model)"
_OPENINGS = rf"""
    (?: (?:(?:i['’]m|i\ am)\ (?:(?:really|very|so|truly|deeply)\ )?sorry | sorry
          | (?:my\ )?apologies | i\ apologi[sz]e | unfortunately | regrettably) [,.!;:]?\ *
      | thank\ you\b[^.!?\n]{{0,60}}[,.!]\ *
      | as\ {_AI}\b[^,.]{{0,60}},\ *
      | (?:i['’]m|i\ am)\ (?:(?:just|only)\ )?{_AI}\b[^,.]{{0,60}}[,.]\ *
      | (?:but|however|so)\b,?\ *
    )*
"""
_CANNOT = r"""
    (?: can(?:no|['’])t | can\ not | could(?:\ no|n['’])t | won['’]t(?:\ be\ able\ to)?
      | will\ not(?:\ be\ able\ to)? | (?:am|['’]m)\ (?:not\ able|unable)\ to
      | (?:do\ not|don['’]t)\ feel\ comfortable | (?:am|['’]m)\ (?:not\ |un)comfortable
      | ['’]d\ rather\ not | would\ rather\ not | prefer\ not\ to )
"""
_ADVERB = r"(?:just|simply|really|also|not|currently|ethically)\ "
# A thing that can be asked for, named as the request or as what a request is for.
_REQUEST = r"""
    (?: (?:this|that|these|such|the|your|content\ of\ (?:this|that))\ (?:\w+\ ){0,3}?
        (?:kind\ of\ \w+|requests?|questions?|content|information|instructions?|material|topics?
          |tasks?|prompts?|advice|things?|conversation)\b
      | (?:that|this)(?=[.,!;]|$|\ for\ you)
      | content\ (?:that|which|of|about|involving|promoting|depicting)\b
      | (?:instructions|guidance|assistance|information)\ (?:for|on|about|to|with|regarding|that)\b
      | (?:medical|legal|financial|personal)\ (?:advice|opinions?)\b )
"""
# What would be done, were something else given, is no refusal.
_FOR_GOOD = r"(?!\ (?:without|until|unless|before)\b)"
_SERVE = rf"""
    (?: (?:help|assist)(?:ing)?(?:\ you)? (?=\ with\b|\ in\b|[.,!;]|$)
      | (?:comply|fulfil+|proceed|continue|engage|participate)(?:ing)?
        (?=\ (?:with|in|your|this|that)\b|[.,!;]|$)
      | (?:(?:provid|creat|generat|writ|produc|shar|giv|discuss|complet|process)(?:e|ing)?
          | offer | answer(?:ing)? | respond(?:ing)?\ to | do | support | assist | help)\b
        [^.!?\n]{{0,80}}? \b{_REQUEST}{_FOR_GOOD} )
"""
_DECLINE = rf"""
    (?: (?:must|(?:have|need)\ to|will\ have\ to|['’](?:m|ll)\ (?:going\ to\ )?have\ to)\ )?
    (?:decline|refuse)\ (?:to\ {_SERVE} | {_REQUEST})
"""
_AGAINST = r"""
    (?:my|our|the)\ (?:\w+\ ){0,3}?(?:guidelines?|polic(?:y|ies)|principles|programming)\b
"""
_ENGLISH = re.compile(
    rf"""{_OPENINGS}
    (?: (?:i|we)\ ? (?:{_ADVERB})? (?: {_CANNOT}\ (?:{_ADVERB})?{_SERVE} | {_DECLINE} )
      | (?:this|that|your|the)\ (?:\w+\ )?(?:request|question|prompt|content|topic)\ (?:\w+\ )?
        (?:violates|(?:goes|is)\ against|conflicts\ with)\ {_AGAINST}
      | it['’]?(?:\ is|s|\ would\ be)\ (?:against\ {_AGAINST}
          | (?:inappropriate|not\ appropriate|unethical)\ for\ me\ to\ {_SERVE}) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Behind an apology fewer words will do.
_SORRY_THAT = re.compile(
    r"(?:(?:i['’]m|i am) )?sorry,? (?:but )?that(?:['’]s| is) (?:something|not something) i "
    r"can(?:no|['’])?t? (?:do|help)",
    re.IGNORECASE,
)

# -- Chinese ---------------------------------------------------------------------------------------

_SORRY_ZH = r"(?:抱歉|对不起|對不起|不好意思)"
_APOLOGY_ZH = rf"(?:我?(?:非常|很|十分|真的|实在)?{_SORRY_ZH}[，,。！!、\s]*(?:但是?|不过)?)"
_AS_AI_ZH = r"(?:(?:作为|作為|身为)[^。！!\n]{0,24}?[，,]?\s*)"
_REASON_ZH = r"(?:(?:根据|根據|由于|由於|因为|因為|出于|按照)[^。！!\n]{0,24}[，,]\s*)"
_REQUEST_ZH = (
    r"(?:(?:这个|這個|该|該|此|您的|你的|您所|你所|这类|這類|此类)[^。！!\n]{0,6}?"
    r"(?:请求|請求|要求|内容|內容|问题|問題|话题|話題|任务|任務|信息)[^。！!\n]{0,20}?)"
)
_CANNOT_ZH = (
    r"我(?:们)?(?:目前|暂时|现在|确实|恐怕)?"
    r"(?:不能|无法|無法|没办法|沒辦法|不可以|不便|拒绝|拒絕|还没有?学会)(?:够|夠)?"
    r"(?:为您|为你|為您|為你|向您|向你|给您|给你|對此|对此|就此|在此|按照|继续)*"
    r"(?:帮助|幫助|帮[您你]|协助|協助|提供|回答|解答|回应|回應|答复|满足|滿足|完成|执行|生成|创作"
    r"|编写|撰写|讨论|討論|处理|處理|参与|遵从)"
)
_CHINESE = re.compile(
    rf"(?:{_APOLOGY_ZH}{_AS_AI_ZH}?(?:{_REASON_ZH}|{_REQUEST_ZH})?|{_AS_AI_ZH}|{_REQUEST_ZH})"
    rf"{_CANNOT_ZH}"
)
# By itself it must say that it is the request that it will not serve.
_CHINESE_PLAIN = re.compile(
    rf"{_CANNOT_ZH}[^。！!\n]*(?:请求|請求|要求|内容|內容|问题|問題|话题|任务|信息|您|你)"
)


def is_refusal(text: str) -> bool:
    """Whether the text as a whole declines to answer."""
    start = text.strip()
    if len(start) > _LONGEST:
        return False
    forms = (_ENGLISH, _SORRY_THAT, _CHINESE, _CHINESE_PLAIN)
    return any(form.match(start) for form in forms)
