"""What repairs are made of: tokens put in, stretches found, the finding that tells the edit."""

from __future__ import annotations

from dpipe.lang.automaton import END, Stack
from dpipe.lang.diagnostics import Diagnostic, Edit, Fix
from dpipe.lang.failure import Failure, Repair
from dpipe.lang.scan import CLOSERS, OPENERS, Token

COMPARISONS = frozenset(("EQ", "NE", "LE", "GE", "LESSTHAN", "MORETHAN", "IN"))
AFTER_COMPARISON = frozenset(
    ("AND", "OR", "THEN", "ELSE", "COMMA", "VBAR", "KEY", *COMPARISONS, *CLOSERS, END)
)


def edit(failure: Failure, at: int, until: int, text: str) -> Edit:
    """Replaces the text of a stretch of tokens; of an empty one, puts text before it."""
    if at == until:
        place = failure.tokens[at].start
        return Edit(failure.source.span(place, place), text)
    return Edit(failure.span(at, until - 1), text)


def repaired(
    failure: Failure,
    at: int,
    until: int,
    tokens: tuple[Token, ...],
    code: str,
    marked: tuple[int, int],
    message: str,
    *,
    help: str | None = None,
    write: str | None = None,
    safe: bool = False,
) -> Repair:
    """``marked`` are the first and last token to point at, ``write`` the text of ``at:until``."""
    fixes = []
    if write is not None:
        title = f"write `{write}`" if write else "remove it"
        fixes.append(Fix(title, (edit(failure, at, until, write),), safe))
    finding = Diagnostic(code, message, failure.span(*marked), (), help, tuple(fixes))
    return Repair(at, until, tokens, lambda: finding)


def made(failure: Failure, kind: str, text: str, index: int) -> Token:
    place = failure.tokens[index].start
    return Token(kind, text, place, place)


def named(token: Token) -> Token:
    return Token("NAME", token.text, token.start, token.end)


def short(text: str) -> str:
    """What a message can hold of a piece of the program."""
    return text if len(text) <= 60 else f"{text[:30].rstrip()} … {text[-20:].lstrip()}"


def operand(failure: Failure, operator: str) -> int | None:
    """Where the left operand starts, if the failing token were this operator."""
    after = failure.automaton.shift(failure.stack, operator, failure.at)
    return after.below.begin if after and after.below else None


def expression_start(failure: Failure) -> int | None:
    """Where the whole expression before the failing token starts."""
    begin, stack = failure.at, failure.stack
    below: Stack | None = stack
    while below is not None:
        if begin < failure.at and failure.automaton.accepts(below, "IF"):
            return begin
        begin, below = below.begin, below.below
    return None


def find(failure: Failure, kinds: frozenset[str], start: int) -> int | None:
    """The first token of these kinds in the same brackets; None before anything else ends it."""
    depth = 0
    for index in range(start, len(failure.kinds)):
        kind = failure.kinds[index]
        if depth == 0 and kind in kinds:
            return index
        depth += (kind in OPENERS) - (kind in CLOSERS)
        if depth < 0:
            return None
    return None
