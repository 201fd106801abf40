"""Answers compared the way a grader does.

``normal_answer`` gives the text that equal answers share; ``same_answer`` compares nothing else.
What counts is the last ``\\boxed{…}`` if there is one, then: a number by its exact value, whatever
its notation, unit, currency or percent sign; a choice by its letter; a tuple by its parts; any
other text without regard to case, width, blanks, markup and final punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import Any

from dpipe.runtime.render import render

_ROUNDS = 8
_DIGITS = 400
"""Numbers with more digits or a greater exponent are compared as texts."""


def same_answer(a: Any, b: Any) -> bool:
    return normal_answer(a) == normal_answer(b)


def normal_answer(a: Any) -> str:
    """The canonical text; that of a canonical text is itself."""
    if a.__class__ is float:
        a = f"{a:.15g}"  # what a computation leaves in the last digits is no difference
    return _settled(render(a))


@lru_cache(maxsize=1024)
def _settled(text: str) -> str:
    """``_normal`` until nothing changes: one layer of dress may hide another."""
    for _ in range(_ROUNDS):
        normal = _normal(text)
        if normal == text:
            break
        text = normal
    return text


def _normal(text: str) -> str:
    text = _plain(_undressed(_last_boxed(text)))
    number = _number(text)
    if number is not None:
        return _show(number)
    choice = _CHOICE.fullmatch(text)
    if choice:
        return choice[1] or choice[2] or choice[3]
    parts = _parts(text)
    if parts is not None:
        return f"{text[0]}{','.join(map(_settled, parts))}{text[-1]}"
    return text


# -- the dress of an answer ----------------------------------------------------------------------

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")


def _last_boxed(text: str) -> str:
    """What the last box holds, its braces nested as they may; the text where there is none."""
    starts = list(_BOXED.finditer(text))
    if not starts:
        return text
    inner = text[starts[-1].end() :]
    end = _closing(inner)
    return inner if end is None else inner[:end]


def _closing(text: str) -> int | None:
    """The place of the brace that closes one opened before the text."""
    depth = 1
    for at, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return at
    return None


_LEAD = re.compile(
    r"(?:####|(?:the\s+)?(?:final\s+|correct\s+)?answer"
    r"(?:\s+is|\s*[:=])\s*:?|(?:option|choice)(?=\s+\(?[a-z]\)?$)"
    r"|(?:最终)?答案(?:是|为|:)+|选项?(?=[a-z]$)|[a-z]\s*=(?!=))\s*"
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("`", "`"))
_BOLD = re.compile(r"(?<![\w*])\*\*([^*]+)\*\*(?![\w*])")
_ENDS = " \t\r\n.。,、;?:"
_EXCLAIMED = re.compile(r"[^\W\d_]{2}!+\Z")  # but 5! is a number


def _undressed(text: str) -> str:
    """Folded to one case and width, without delimiters, lead-in and final punctuation."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace("−", "-").replace("–", "-")
    text = _BOLD.sub(r"\1", text).strip().rstrip(_ENDS)
    if _EXCLAIMED.search(text):
        text = text.rstrip("!" + _ENDS)
    text = _undelimited(text).strip()
    lead = _LEAD.match(text)
    return text[lead.end() :] if lead else text


def _undelimited(text: str) -> str:
    """Without the signs that make all of it a formula or code."""
    for opening, closing in _DELIMITERS:
        if len(text) > len(opening + closing) and text.startswith(opening):
            inner = text[len(opening) :].removesuffix(closing)
            if text.endswith(closing) and opening not in inner:
                text = inner
    return text


_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}"
)
_ROOT = re.compile(r"\\sqrt\s*(?:\{([^{}]*)\}|(\w))")
_SPACING = re.compile(r"\\(?:left|right|displaystyle|quad|qquad)(?![a-z])|\\[,;:!> ]|~")
_SIGNS = (
    (re.compile(r"\\(?:cdot|times)(?![a-z])|[×·⋅]"), "*"),
    (re.compile(r"\\pi(?![a-z])"), "π"),
    (re.compile(r"\\infty(?![a-z])"), "∞"),
    (re.compile(r"\^\s*(?:\\circ(?![a-z])|\{\s*\\circ\s*\})|\\degree(?![a-z])"), "°"),
    (re.compile(r"\\([%$#&_])"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\^\{(-?\w+)\}"), r"^\1"),
    (re.compile(r"\s+"), " "),
    (re.compile(r" ?([^\w\s]) ?"), r"\1"),
)


def _plain(text: str) -> str:
    """LaTeX as plain signs: ``\\frac{1}{2}`` is ``1/2``; no blanks beside signs."""
    text = _TEXT.sub(r" \1", _SPACING.sub(" ", text))
    text = _ROOT.sub(lambda found: f"sqrt({found[1] or found[2]})", text)
    text = _FRACTION.sub(_quotient, text)
    for sign, plain in _SIGNS:
        text = sign.sub(plain, text)
    return text.strip()


def _quotient(found: re.Match[str]) -> str:
    above, below = (found[1] or found[2] or ""), (found[3] or found[4] or "")
    whole = " " if found.start() and found.string[found.start() - 1].isdigit() else ""
    return f"{whole}{_group(above)}/{_group(below)}"


def _group(part: str) -> str:
    part = part.strip()
    return part if re.fullmatch(r"-?[\w.]+", part) else f"({part})"


# -- numbers -------------------------------------------------------------------------------------

_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "百": 10**2, "千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8,
    "万亿": 10**12,
}  # fmt: skip
_UNITS = (
    "%|percent|per cent|个百分点|°|°c|°f|degrees?(?: celsius| fahrenheit)?|radians?|rad"
    "|[kmcdnμ]m|[mkμ]g|[mcd]l|[mnμ]s|km/h|m/s|mph|[kmg]?hz|[kmg]w|[km]j|kwh|[km]?pa|[mk]v|m?ah"
    "|mol|k?cal|[kmgt]b|(?:kilo|centi|milli|deci)?(?:meters?|metres?|grams?"
    "|lit(?:er|re)s?)|miles?|mi|inch(?:es)?|in|feet|foot|ft|yards?|yd|pounds?|lbs?|ounces?|oz"
    "|tons?|tonnes?|gallons?|sec(?:ond)?s?|min(?:ute)?s?|hours?|hrs?|days?|weeks?|months?"
    "|years?|yrs?|years? old|dollars?|cents?|euros?|yuan|yen|rupees?|usd|eur|rmb|cny|gbp|jpy"
    "|units?|square units?|cubic units?|people|persons?|times|points?|items?|pieces?"
    "|元|块|角|分|美元|欧元|日元|米|厘米|毫米|千米|公里|克|千克|公斤|毫克|斤|吨|升|毫升|秒|分钟|小时"
    "|天|周|个月|月|年|岁|度|个|人|名|位|只|次|件|条|张|本|台|辆|倍|平方米|立方米|平方厘米|立方厘米"
)
_CURRENCY = r"(?:us|hk|a|c)?[$€£¥₹₩]|rmb|usd|eur"
_LETTERS = "[mglshnwjvkcf]"
"""Units of one letter stand apart from the number: ``5 m`` has one, ``5n`` is algebra."""
_VALUE = re.compile(
    rf"(?P<sign>[+-]?)(?:{_CURRENCY})? ?(?P<minus>[+-]?)"
    r"(?:(?P<whole>\d+) (?=\d+/))?"
    r"(?P<above>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)"
    r"(?:e(?P<e>[+-]?\d+)|\*10\^(?P<power>[+-]?\d+))?"
    r"(?:/(?P<below>\d+(?:\.\d+)?))?"
    rf" ?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})?"
    rf"(?: ?(?:(?:{_UNITS})(?:\^?[23])?|{_CURRENCY})| {_LETTERS}(?:\^?[23])?)?"
)


def _number(text: str) -> Fraction | None:
    """The exact value of a number with or without a unit."""
    found = _VALUE.fullmatch(text)
    if found is None:
        return None
    power = int((found["e"] or found["power"] or "0")[:8])
    if len(text) > _DIGITS or abs(power) > _DIGITS:
        return None
    value = Fraction(found["above"].replace(",", "").rstrip(".")) * Fraction(10) ** power
    if found["below"] is not None:
        if not Fraction(found["below"]):
            return None
        value /= Fraction(found["below"])
    value = (value + int(found["whole"] or 0)) * _SCALES.get(found["scale"] or "", 1)
    return -value if "-" in (found["sign"] + found["minus"]) else value


def _show(number: Fraction) -> str:
    """A decimal where it ends, else the fraction in lowest terms."""
    below, twos, fives = number.denominator, 0, 0
    while below % 2 == 0:
        below, twos = below // 2, twos + 1
    while below % 5 == 0:
        below, fives = below // 5, fives + 1
    places = max(twos, fives)
    if below != 1 or places > _DIGITS:
        return f"{number.numerator}/{number.denominator}"
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    shown = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{shown}" if number < 0 else shown


# -- choices and tuples --------------------------------------------------------------------------

_CHOICE = re.compile(r"[(\[【{]?([a-z])[)\]】}]?|\(([a-j])\)\w.*|([a-j])\)\w[^)]*")
"""``B``, ``(B)``, ``B)``, and ``(B) Paris``, where the letter stands for the text."""


def _parts(text: str) -> list[str] | None:
    """The parts of ``(a,b)`` or ``[a,b)``, if the text is that; commas inside brackets are not."""
    if len(text) < 2 or text[0] not in "([{" or text[-1] not in ")]}":
        return None
    depth, start, parts = 0, 1, []
    for at, character in enumerate(text[1:-1], 1):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if depth == 0 and character == ",":
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:-1]] if parts and depth == 0 else None
