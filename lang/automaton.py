"""The parser: runs the tables, with trees or on states alone.

Recovery asks many what-ifs: which tokens could come next, and how far would it go. There the
stacks share their tails, so keeping the one before every token costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from dpipe.lang.scan import Token
from dpipe.lang.tables import ABSENT, SPLICED, Tables

END = "$END"


class Tree(Struct, frozen=True):
    """A rule's name and what it was read from: tokens, trees, None for an absent part."""

    data: str
    children: list[Any]


class Stack(NamedTuple):
    """A state, the index of the first token its symbol covers, and what lies below."""

    state: int
    begin: int
    below: Stack | None


class Automaton:
    def __init__(self, tables: Tables) -> None:
        self.states = tables.states
        self.rules = tables.rules
        self.start = Stack(tables.start, 0, None)
        self.end_state = tables.end

    def tree(self, tokens: Iterable[Token]) -> Tree | None:
        """The tree of one declaration; None if it does not parse."""
        states, rules = self.states, self.rules
        stack, values = [self.start.state], list[Any]()
        for token in (*tokens, Token(END, "", 0, 0)):
            kind = token.type
            while (action := states[stack[-1]].get(kind)) is not None and action < 0:
                name, node, size, shape = rules[~action]
                if shape:
                    children = _children(values[-size:], shape)
                    values[-size:] = [Tree(node, children) if node else children]
                del stack[-size:]
                stack.append(states[stack[-1]][name])
                if kind == END and stack[-1] == self.end_state:
                    tree: Tree = values[-1]
                    return tree
            if action is None:
                return None
            stack.append(action)
            values.append(token)
        return None

    def shift(self, stack: Stack, kind: str, at: int) -> Stack | None:
        """The stack after the token ``at``; None if no program goes on with it."""
        states = self.states
        while True:
            action = states[stack.state].get(kind)
            if action is None:
                return None
            if action >= 0:
                return Stack(action, at, stack)
            rule = self.rules[~action]
            begin = at
            for _ in range(rule.size):
                _, begin, below = stack
                assert below is not None
                stack = below
            goto = states[stack.state][rule.name]
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
        row = self.states[stack.state]
        kinds = {kind for kind in row if kind.isupper() and self.accepts(stack, kind)}
        return frozenset(kinds)


def _children(parts: list[Any], shape: str) -> list[Any]:
    """What a rule's tree is made of, as its shape tells."""
    if SPLICED not in shape and ABSENT not in shape:
        return parts
    children: list[Any] = []
    left = iter(parts)
    for letter in shape:
        if letter == ABSENT:
            children.append(None)
        elif letter == SPLICED:  # most are alone or first: a repetition grows in place
            more = next(left)
            children = [*children, *more] if children else more
        else:
            children.append(next(left))
    return children
