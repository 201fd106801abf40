"""The parser's tables: where a token leads from a state, and what a rule makes of what it read.

Lark makes them of ``grammar.lark``, which takes a hundred times as long as reading them, so they
are kept in ``grammar.json``; ``scripts/generate`` writes it. Only where that file is of another
grammar are they made anew, and Lark is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

PART, SPLICED, ABSENT = "psa"
_KEPT = "grammar.json"


class Rule(NamedTuple):
    """``name`` is what ``size`` parts are read as, and ``node`` the tree that is made of them.

    A repetition makes no tree (``node`` is empty), it is spliced into what it stands in. ``shape``
    has a letter for each child: a part, a spliced repetition, or what the text left out. It is
    empty where the only part stands for itself.
    """

    name: str
    node: str
    size: int
    shape: str


class Tables(Struct, frozen=True):
    """For each state, what a terminal or rule leads to: a state, or ``~number`` of a rule.

    ``of`` is the grammar's fingerprint.
    """

    of: str
    states: tuple[dict[str, int], ...]
    rules: tuple[Rule, ...]
    start: int
    end: int


@cache
def tables() -> Tables:
    """Those of the grammar as it is."""
    return kept() or made()


def kept() -> Tables | None:
    """What ``grammar.json`` holds, if it was made of this grammar."""
    file = resources.files("dpipe.lang") / _KEPT
    if not file.is_file():
        return None
    found = msgspec.json.decode(file.read_bytes(), type=Tables)
    return found if found.of == _fingerprint(_grammar()) else None


def _grammar() -> str:
    return (resources.files("dpipe.lang") / "grammar.lark").read_text("utf-8")


def _fingerprint(grammar: str) -> str:
    return hashlib.sha256(grammar.encode()).hexdigest()


def made() -> Tables:
    """Lark's tables of the grammar."""
    from lark import Lark

    grammar = _grammar()
    lark = Lark(grammar, parser="lalr", lexer="basic", start=["item"], keep_all_tokens=True)
    conf: Any = lark.parse_interactive("", start="item").parser_state.parse_conf
    rows = {
        state: {kind: led for kind, (_, led) in sorted(row.items())}
        for state, row in conf.states.items()
    }
    reductions = {led for row in rows.values() for led in row.values() if led not in rows}
    rules = sorted({_rule(led) for led in reductions})
    numbers = _numbered(rows, conf.start_state)
    numbers |= {led: ~rules.index(_rule(led)) for led in reductions}
    states = [
        {kind: numbers[led] for kind, led in rows[at].items()} for at in numbers if at in rows
    ]
    start, end = numbers[conf.start_state], numbers[conf.end_state]
    return Tables(_fingerprint(grammar), tuple(states), tuple(rules), start, end)


def _numbered(rows: dict[int, dict[str, Any]], start: int) -> dict[Any, int]:
    """The states as they are reached: Lark numbers them differently each time."""
    found = {start: 0}
    waiting = [start]
    while waiting:
        for led in rows[waiting.pop()].values():
            if led in rows and led not in found:
                found[led] = len(found)
                waiting.append(led)
    return found


def _rule(rule: Any) -> Rule:
    name, parts = str(rule.origin.name), rule.expansion
    if rule.options.expand1 and not rule.alias and len(parts) == 1:
        return Rule(name, "", 1, "")
    node = "" if _is_repetition(rule.origin) else str(rule.alias or name)
    return Rule(name, node, len(parts), "".join(_shape(parts, rule.options.empty_indices)))


def _shape(parts: list[Any], absent: tuple[bool, ...]) -> Iterator[str]:
    left = iter(parts)
    for missing in absent or (False,) * len(parts):
        yield ABSENT if missing else SPLICED if _is_repetition(next(left)) else PART


def _is_repetition(symbol: Any) -> bool:
    return not symbol.is_term and symbol.name.startswith("_")
