"""Braces that another template language would work out: literal text here, and seldom meant so.

`{len(a)}`, `{{ a | upper }}`, `{#if a}`: a group that names what a placeholder could stand for, or
begins with a word of templates. What braces are written for is let be: JSON, code, LaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from msgspec import Struct

from dpipe.lang.strings import Fault, is_told, unworked

_GROUP = re.compile(r"\\.|\{\{[^{}\n]*\}\}|\{[^{}\n]*\}")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_NAME = r"[^\W\d]\w*"
_NAMED = re.compile(rf"(?<![\w.])(?P<dot>\.?)(?P<name>{_NAME})")
_CALL = re.compile(rf"(?P<name>{_NAME})\s*\(.*\)")
_BEGINNING = re.compile(
    r"""%-?\s*(?!end|el(?:se|if))\w      # {% if a %}; what closes it is not told again
    |[#@]\s*(?:if|unless|each|for|foreach|with|switch)\b
    |(?:el)?if\s+[\w.!(]|for\s+\w+(?:\s*,\s*\w+)?\s+in\b|(?:for)?each\s+\w""",
    re.VERBOSE,
)
_CODE = re.compile(r"return\b|.*(?:;|(?<![=!<>])=(?!=))")
_LABEL = re.compile(rf"(?:\"\"|{_NAME})\s*:")
_FORMATTED = re.compile(rf"{_NAME}(?:![rsa]|(?:![rsa])?:[<>^=]?[+-]?0?\d*,?(?:\.\d+)?[a-zA-Z%]?)")
_LATEX = re.compile(r"(?:\\\\[a-zA-Z]*(?:\[[^\[\]]*\])?(?:\{[^{}]*\})*|[_^])\Z")
_FAR = 200  # characters before a group that are looked at


class Known(Struct, frozen=True):
    """The names of what a text may be about, where it stands."""

    values: Container[str]
    fields: Container[str]
    functions: Container[str]


def worked_out_elsewhere(raw: str, known: Known) -> Iterator[Fault]:
    """The groups of braces in a string's raw text that are no text to their author."""
    for found in _GROUP.finditer(raw):
        group, at = found.group(), found.start()
        if group.startswith("\\") or is_told(raw, at):
            continue
        if _is_meant(group.strip("{}"), known) and not _LATEX.search(raw[max(at - _FAR, 0) : at]):
            yield unworked(group, at)


def _is_meant(inner: str, known: Known) -> bool:
    text = _QUOTED.sub('""', inner.replace('\\"', '"')).strip()
    if _CODE.match(text) or (_LABEL.match(text) and not _FORMATTED.fullmatch(text)):
        return False
    called = _CALL.match(text)
    if _BEGINNING.match(text) or (called and called["name"] in known.functions):
        return True
    return any(
        named["name"] in (known.fields if named["dot"] else known.values)
        for named in _NAMED.finditer(text)
    )
