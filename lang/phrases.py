"""How tokens and what is expected are called in messages."""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang.automaton import END
from dpipe.lang.scan import KEYWORDS, PUNCTUATION, Token

SPELLING = {kind: text for text, kind in (*PUNCTUATION.items(), *KEYWORDS.items())}
_MEANING = {
    "NAME": "a name",
    "KEY": "a name and `:`",
    "STRING": "a string",
    "INT": "a number",
    END: "the end of the declaration",
}
_OPERATORS = frozenset(
    ("EQ", "NE", "LE", "GE", "LESSTHAN", "MORETHAN", "PLUS", "STAR", "OR", "AND", "COALESCE")
)
_GOING_ON = frozenset(("ATTR", "LPAR", "LSQB", "QMARK"))  # they make what stands there longer
_EXPRESSION = frozenset(("FIELD", "TRUE"))
_TYPE = frozenset(("FLOW", "MODEL", "LBRACE"))
_LONG = 32


def shown(token: Token) -> str:
    """A token as a message names it; long strings are cut."""
    if token.type == END:
        return "end of declaration"
    if token.type == "LONG_STRING":
        return 'a `"""` string'
    text = token.text if len(token.text) <= _LONG else token.text[: _LONG - 1] + "…"
    return f"`{text}`"


def expectation(kinds: frozenset[str]) -> str | None:
    """What could stand here, in words; None when that is too much to say."""
    if kinds >= _EXPRESSION:
        return "an expression"
    if kinds >= _TYPE:
        return "a type"
    for needed in ("THEN", "ELSE"):
        if needed in kinds:
            return f"`{needed.lower()}`"
    if {"NAME", "KEY"} <= kinds:
        return "a name"
    if "ERROR" in kinds:
        return "a name or a call"
    if kinds & _OPERATORS and not kinds & {"COMMA", "RPAR", "RSQB", "RBRACE"}:
        return "an operator or the end" if END in kinds else None
    kinds -= _OPERATORS
    words = [
        _MEANING.get(kind) or f"`{SPELLING[kind]}`"
        for kind in sorted(kinds - _GOING_ON or kinds, key=_rank)
        if kind in _MEANING or kind in SPELLING
    ]
    if not words or len(words) > 3:
        return None
    return either(words)


def either(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _rank(kind: str) -> tuple[bool, str]:
    return kind == END, kind
