"""The parser's tables, run on states alone: which tokens could come next, and how far would it go.

Lark's parser builds trees and cannot go back. Recovery asks many what-ifs, so it runs the same
tables on stacks that share their tails: keeping the stack before every token costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

END = "$END"


class Reduce(NamedTuple):
    """Replace ``size`` symbols by the rule ``name``."""

    size: int
    name: str


Action: TypeAlias = int | Reduce  # a state to shift to, or a reduction


class Stack(NamedTuple):
    """A state, the index of the first token its symbol covers, and what lies below."""

    state: int
    begin: int
    below: Stack | None


class Automaton:
    """``table`` gives for each state what a terminal or rule leads to."""

    def __init__(
        self, table: Mapping[int, Mapping[str, Action]], start_state: int, end_state: int
    ) -> None:
        self.table = table
        self.start = Stack(start_state, 0, None)
        self.end_state = end_state

    def shift(self, stack: Stack, kind: str, at: int) -> Stack | None:
        """The stack after the token ``at``; None if no program goes on with it."""
        table = self.table
        while True:
            action = table[stack.state].get(kind)
            if action is None:
                return None
            if isinstance(action, int):
                return Stack(action, at, stack)
            begin = at
            for _ in range(action.size):
                _, begin, below = stack
                assert below is not None
                stack = below
            goto = table[stack.state][action.name]
            assert isinstance(goto, int)
            stack = Stack(goto, begin, stack)
            if goto == self.end_state and kind == END:
                return stack

    def shift_all(self, stack: Stack, kinds: Iterable[str], at: int) -> Stack | None:
        here: Stack | None = stack
        for kind in kinds:
            if here is None:
                return None
            here = self.shift(here, kind, at)
        return here

    def reach(self, stack: Stack, kinds: Sequence[str], start: int, stop: int) -> int:
        """The index of the first kind from ``start`` on that does not fit; ``stop`` if all do."""
        here: Stack | None = stack
        for index in range(start, stop):
            assert here is not None
            here = self.shift(here, kinds[index], index)
            if here is None:
                return index
        return stop

    def accepts(self, stack: Stack, kind: str) -> bool:
        return self.shift(stack, kind, 0) is not None

    def accepted(self, stack: Stack) -> frozenset[str]:
        """Every terminal that can come next."""
        row = self.table[stack.state]
        kinds = {kind for kind in row if kind.isupper() and self.accepts(stack, kind)}
        return frozenset(kinds)
