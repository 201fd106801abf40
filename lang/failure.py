"""Where a declaration stops parsing, and an edit that may mend it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property

from msgspec import Struct

from dpipe.lang.automaton import Automaton, Stack
from dpipe.lang.diagnostics import Diagnostic
from dpipe.lang.scan import CLOSERS, OPENERS, Token
from dpipe.lang.source import Source, Span

QUIET = 3  # tokens after a mistake in which another is not told
AHEAD = 150  # tokens that an edit is tried on


class Repair(Struct, frozen=True):
    """Tokens that stand in for ``at`` to ``until``, and what to tell if this edit is taken."""

    at: int
    until: int
    tokens: tuple[Token, ...]
    tell: Callable[[], Diagnostic]
    cost: int = 0


class Failure:
    """The token that does not fit, with everything before and after it."""

    def __init__(
        self, source: Source, automaton: Automaton, tokens: list[Token], stacks: list[Stack]
    ) -> None:
        self.source = source
        self.automaton = automaton
        self.tokens = tokens
        self.stacks = stacks  # the stack before each token up to the failing one
        self.at = len(stacks) - 1
        self.kinds = [token.type for token in tokens]

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @property
    def stack(self) -> Stack:
        return self.stacks[self.at]

    @cached_property
    def accepted(self) -> frozenset[str]:
        return self.automaton.accepted(self.stack)

    def kind(self, offset: int) -> str:
        """The kind of the token so far from the failing one; empty outside the declaration."""
        index = self.at + offset
        return self.kinds[index] if 0 <= index < len(self.kinds) else ""

    def span(self, first: int, last: int | None = None) -> Span:
        """From one token to another, both included."""
        end = self.tokens[first if last is None else last].end
        return self.source.span(self.tokens[first].start, end)

    def text(self, first: int, until: int) -> str:
        """The program's text of a stretch of tokens, on one line."""
        if first >= until:
            return ""
        piece = self.source.text[self.tokens[first].start : self.tokens[until - 1].end]
        return " ".join(piece.split())

    def end_of_previous(self, index: int) -> int:
        return self.tokens[index - 1].end if index else self.tokens[0].start

    def open_brackets(self, until: int) -> list[int]:
        """The brackets that no closing one answers before a token, outermost first."""
        stack: list[int] = []
        for index in range(until):
            kind = self.kinds[index]
            if kind in OPENERS:
                stack.append(index)
            elif kind in CLOSERS and stack:
                stack.pop()
        return stack

    def follows(self, told: list[int]) -> bool:
        """Whether something has been told of this place or of one just before it."""
        first = bisect_left(told, self.tokens[max(self.at - QUIET, 0)].start)
        return first < len(told) and told[first] <= self.token.start

    def starts_line(self, index: int) -> bool:
        start = self.tokens[index].start
        return not self.source.text[:start].rpartition("\n")[2].strip()

    def reach(self, repair: Repair) -> int:
        """How far the declaration fits with an edit made, as an index of today's tokens.

        An edit that does not fit itself counts for as many tokens as it brings before that.
        """
        stack: Stack | None = self.stacks[repair.at]
        for count, token in enumerate(repair.tokens):
            assert stack is not None
            stack = self.automaton.shift(stack, token.type, repair.at)
            if stack is None:
                return repair.at + count - 1
        assert stack is not None
        stop = min(len(self.kinds), self.at + AHEAD)
        return self.automaton.reach(stack, self.kinds, repair.until, stop)
