"""Makes a declaration that does not parse into one that does, telling each mistake once.

At the first token that does not fit, every small edit is tried: put something in, take the token
out, write another, swap two. The edit after which most of what follows fits wins; among equals
the likelier mistake. Where no small edit helps, a stretch up to the next `,`, `|`, label or
closing bracket gives way to ERROR. What follows a mistake within three tokens is not told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cached_property

from msgspec import Struct

from dpipe.lang.automaton import END, Automaton, Stack
from dpipe.lang.diagnostics import Bag, Diagnostic, Edit, Fix, Label
from dpipe.lang.phrases import SPELLING, expectation, shown
from dpipe.lang.scan import CLOSERS, OPENERS, Token
from dpipe.lang.source import Source, Span

_QUIET = 3  # tokens after a mistake in which another is not told
_AHEAD = 150  # tokens that an edit is tried on
_MOST = 40  # edits in one declaration before it is given up

_INSERTABLE = (
    "COMMA", "COLON", "VBAR", "RPAR", "RSQB", "RBRACE", "EQUAL", "LPAR", "LBRACE", "LSQB",
    "ARROW", "THEN", "ELSE", "AS", "ERROR", "PLUS", "RANGE", "IN", "NAME", "KEY", "STRING",
)  # fmt: skip
_REPLACING = (
    "COMMA", "COLON", "VBAR", "RPAR", "RSQB", "RBRACE", "EQUAL", "ARROW", "LPAR", "LBRACE",
    "LSQB", "NAME", "ERROR", "KEY", "STRING", "THEN", "ELSE", "AS", "RANGE", "PLUS", "IN", "IF",
    "INT", "DEF",
)  # fmt: skip
_ENDING = (
    "RPAR", "RSQB", "RBRACE", "ERROR", "THEN", "ELSE", "ARROW", "EQUAL", "COLON", "RANGE", "AS",
    "LPAR", "LBRACE", "IN", "NAME", "KEY", "STRING", "INT", "DEF",
)  # fmt: skip
_SYNC = frozenset(("VBAR", "COMMA", "KEY", END, *CLOSERS))


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
        first = bisect_left(told, self.tokens[max(self.at - _QUIET, 0)].start)
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
        stop = min(len(self.kinds), self.at + _AHEAD)
        return self.automaton.reach(stack, self.kinds, repair.until, stop)


def recover(
    tokens: list[Token],
    automaton: Automaton,
    source: Source,
    bag: Bag,
    habits: Callable[[Failure], Iterator[Repair]],
) -> list[Token] | None:
    """Tokens that parse, one ERROR for each part that could not be read; None if that fails.

    What the bag holds already, a malformed token say, is a mistake that has been told.
    """
    told = sorted({finding.span.start for finding in bag})
    end = tokens[-1].end
    tokens = [*tokens, Token(END, "", end, end)]
    stacks = [automaton.start]
    quiet_until = -1
    for _ in range(_MOST):
        if not _advance(tokens, automaton, stacks):
            return tokens[:-1]
        failure = Failure(source, automaton, tokens, stacks)
        repair = _best(failure, habits)
        if repair is None:
            bag.extend([_unexpected(failure)])
            return None
        if failure.at >= quiet_until and not failure.follows(told):
            bag.extend([repair.tell()])
        tokens[repair.at : repair.until] = repair.tokens
        del stacks[repair.at + 1 :]
        quiet_until = repair.at + len(repair.tokens) + _QUIET
    return None


def _advance(tokens: list[Token], automaton: Automaton, stacks: list[Stack]) -> bool:
    """Moves on until a token does not fit; False when all did."""
    for index in range(len(stacks) - 1, len(tokens)):
        stack = automaton.shift(stacks[-1], tokens[index].type, index)
        if stack is None:
            return True
        stacks.append(stack)
    return False


def _best(failure: Failure, habits: Callable[[Failure], Iterator[Repair]]) -> Repair | None:
    stop = len(failure.kinds)
    enough = min(failure.at + 1 + _QUIET, stop)
    for repair in habits(failure):
        if failure.reach(repair) >= enough:
            return repair
    best, best_key = None, (enough - 1, 0)
    for repair in _small_edits(failure):
        reach = failure.reach(repair)
        if (reach, -repair.cost) > best_key:
            best, best_key = repair, (reach, -repair.cost)
    return best or _skip(failure) or _finish(failure)


# -- small edits ---------------------------------------------------------------------------------


def _small_edits(failure: Failure) -> Iterator[Repair]:
    """Each with a cost: among edits that go as far, the cheapest is the likeliest."""
    at = failure.at
    yield from _insertions(failure)
    if failure.token.type != END:
        yield Repair(at, at + 1, (), lambda: _unexpected(failure), 30)
        for cost, kind in enumerate(_REPLACING, 40):
            if kind in failure.accepted:
                yield _replacement(failure, at, kind, cost)
        if failure.kind(1) not in ("", END):
            yield _swap(failure, at, 80)
        yield from _label_edits(failure)
    if at > 1:
        yield _swap(failure, at - 1, 81) if failure.token.type != END else _removal(failure)
        yield _removal(failure)
        before = failure.automaton.accepted(failure.stacks[at - 1])
        for cost, kind in enumerate(_REPLACING, 90):
            if kind in before:
                yield _replacement(failure, at - 1, kind, cost)
    yield from _bracket_edits(failure)


def _label_edits(failure: Failure) -> Iterator[Repair]:
    """`v : x` where no label can stand: the name with something else behind it."""
    at = failure.at
    if failure.kind(0) != "KEY" or failure.kind(1) != "COLON" or "NAME" not in failure.accepted:
        return
    key, colon = failure.tokens[at : at + 2]
    name = Token("NAME", key.text, key.start, key.end)
    tell = lambda: _stray_colon(failure, at + 1)  # noqa: E731
    for cost, kind in enumerate((None, "EQUAL", "ARROW", "LPAR", "COMMA", "PLUS", "RANGE"), 60):
        made = () if kind is None else (_made(kind, colon.start, colon.end),)
        yield Repair(at, at + 2, (name, *made), tell, cost)


def _bracket_edits(failure: Failure) -> Iterator[Repair]:
    """What is wrong may be the bracket around all this, or what should stand before it."""
    opened = failure.open_brackets(failure.at)
    if not opened or opened[-1] == 0:
        return
    opener = opened[-1]
    start = failure.tokens[opener].start
    tell = lambda: _unexpected(failure, opener)  # noqa: E731
    yield Repair(opener, opener + 1, (), tell, 120)
    yield Repair(opener, opener, (_made("NAME", start, start),), tell, 121)
    accepted = failure.automaton.accepted(failure.stacks[opener])
    for cost, kind in enumerate(OPENERS, 122):
        if kind in accepted:
            yield _replacement(failure, opener, kind, cost)


def _insertions(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    for cost, kind in enumerate(_INSERTABLE):
        if kind in failure.accepted:
            yield _insertion(failure, at, (kind,), cost)
    closers = [OPENERS[failure.kinds[index]] for index in reversed(failure.open_brackets(at))]
    for count in range(2, min(len(closers), 6) + 1):
        yield _insertion(failure, at, tuple(closers[:count]), 25 + count)
    if closers and at > 1 and failure.kind(-1) == "COMMA":
        yield _insertion(failure, at - 1, (closers[0],), 25)


def _insertion(failure: Failure, index: int, kinds: tuple[str, ...], cost: int) -> Repair:
    place = failure.end_of_previous(index)
    tokens = tuple(_made(kind, place, place) for kind in kinds)
    return Repair(index, index, tokens, lambda: _missing(failure, index, kinds), cost)


def _replacement(failure: Failure, index: int, kind: str, cost: int) -> Repair:
    old = failure.tokens[index]
    made = _made(kind, old.start, old.end)
    if kind == "NAME" and old.type in ("KEY", "FIELD", "ATTR"):
        made = Token("NAME", old.text.strip('."'), old.start, old.end)
    tell = lambda: _wrong(failure, index, kind)  # noqa: E731
    return Repair(index, index + 1, (made,), tell, cost)


def _swap(failure: Failure, index: int, cost: int) -> Repair:
    first, second = failure.tokens[index : index + 2]
    tell = lambda: _unexpected(failure, index)  # noqa: E731
    return Repair(index, index + 2, (second, first), tell, cost)


def _removal(failure: Failure) -> Repair:
    at = failure.at - 1
    return Repair(at, at + 1, (), lambda: _unexpected(failure, at), 85)


def _made(kind: str, start: int, end: int) -> Token:
    """A token that the text lacks; names and strings are empty."""
    text = {"STRING": '""', "INT": "0"}.get(kind) or SPELLING.get(kind, "")
    return Token(kind, text, start, end)


# -- larger ones ---------------------------------------------------------------------------------


def _skip(failure: Failure) -> Repair | None:
    """The shortest stretch around the token whose loss, or ERROR in its place, lets it go on."""
    best, best_cost = None, 1 << 30
    for until in _sync_points(failure):
        needed = min(until + _QUIET, len(failure.kinds))
        stack: Stack | None = failure.stack
        begin = failure.at
        while stack is not None:
            cost = 2 * (failure.at - begin) + (until - failure.at)
            if cost >= best_cost:
                break
            for repair in _gaps(failure, begin, until):
                if failure.reach(repair) >= needed:
                    best, best_cost = repair, cost
                    break
            begin, stack = stack.begin, stack.below
    return best


def _gaps(failure: Failure, begin: int, until: int) -> Iterator[Repair]:
    """Nothing, or ERROR, in place of the tokens from ``begin`` to ``until``."""
    start = failure.end_of_previous(begin)
    if begin < until:
        start, end = failure.tokens[begin].start, failure.tokens[until - 1].end
        yield Repair(begin, until, (), lambda: _unexpected(failure))
    else:
        end = start
    error = _made("ERROR", start, end)
    yield Repair(begin, until, (error,), lambda: _unexpected(failure))


def _sync_points(failure: Failure) -> Iterator[int]:
    """Where the text may make sense again: no deeper in brackets than the failing token."""
    depth = 0
    stop = min(len(failure.kinds), failure.at + _AHEAD)
    for index in range(failure.at, stop):
        kind = failure.kinds[index]
        if depth <= 0 and kind in _SYNC:
            yield index
        depth += (kind in OPENERS) - (kind in CLOSERS)
    if stop < len(failure.kinds):
        yield len(failure.kinds) - 1


def _finish(failure: Failure) -> Repair | None:
    """Gives up what is left of the declaration and ends it in the shortest way."""
    automaton, stack = failure.automaton, failure.stack
    kinds: list[str] = []
    while not automaton.accepts(stack, END):
        for kind in _ENDING:
            after = automaton.shift(stack, kind, failure.at)
            if after is not None:
                break
        else:
            return None
        stack = after
        kinds.append(kind)
        if len(kinds) > 4 * _AHEAD:
            return None
    place = failure.end_of_previous(failure.at)
    tokens = tuple(_made(kind, place, place) for kind in kinds)
    ended = bool(kinds) and failure.token.type == END
    return Repair(
        failure.at,
        len(failure.kinds) - 1,
        tokens,
        lambda: _missing(failure, failure.at, tuple(kinds)) if ended else _unexpected(failure),
    )


# -- what to tell --------------------------------------------------------------------------------


def _missing(failure: Failure, index: int, kinds: tuple[str, ...]) -> Diagnostic:
    """Something is not there, before the token at ``index``."""
    kind, token = kinds[0], failure.tokens[index]
    if kind in CLOSERS and failure.open_brackets(index):
        return _unclosed(failure, index, kind)
    previous = failure.tokens[index - 1] if index else token
    after = failure.source.span(previous.end, previous.end)
    if kind == "COMMA":
        message = f"missing `,`; add `,` before {shown(token)}"
        fix = Fix("add `,`", (Edit(after, ","),), safe=True)
        return Diagnostic("E0109", message, failure.span(index), fixes=(fix,))
    if kind == "COLON":
        fix = Fix("add `:`", (Edit(after, ":"),), safe=True)
        message = f"missing `:` after {shown(previous)}"
        return Diagnostic("E0116", message, failure.span(index - 1), fixes=(fix,))
    if kind == "VBAR":
        before = failure.source.span(token.start, token.start)
        fix = Fix("add `|`", (Edit(before, "| "),), safe=True)
        message = "missing `|` before this stage"
        return Diagnostic("E0117", message, failure.span(index), fixes=(fix,))
    if kind in SPELLING and token.type != END and kind != "PLUS" and not _unmatched(failure, index):
        text = SPELLING[kind]
        fix = Fix(f"add `{text}`", (Edit(after, f" {text} "),))
        message = f"unexpected {shown(token)}; expected `{text}`"
        return Diagnostic("E0113", message, failure.span(index), fixes=(fix,))
    return _unexpected(failure)


def _unclosed(failure: Failure, index: int, kind: str) -> Diagnostic:
    token = failure.tokens[index]
    opener = _unclosed_opener(failure, index)
    opened = shown(failure.tokens[opener])
    closer = SPELLING[kind]
    if token.type in CLOSERS:
        return _mismatched(failure, index, opener)
    labels = [Label(failure.span(opener), "opened here")]
    if token.type == "VBAR":
        labels.append(Label(failure.span(index), "stage starts here"))
        where = "before this stage"
    else:
        where = "at the end" if token.type == END else f"before {shown(token)}"
    place = failure.end_of_previous(index)
    fix = Fix(f"add `{closer}`", (Edit(failure.source.span(place, place), closer),))
    return Diagnostic(
        "E0104",
        f"unclosed {opened}",
        failure.span(opener),
        tuple(labels),
        f"add `{closer}` {where}",
        (fix,),
    )


def _unclosed_opener(failure: Failure, until: int) -> int:
    """The bracket to blame: one whose closing line stands further out than it, else the last."""
    stack: list[int] = []
    for index in range(until):
        kind = failure.kinds[index]
        if kind in OPENERS:
            stack.append(index)
        elif kind in CLOSERS and stack:
            opener = stack.pop()
            closing = _indentation(failure, index)
            if (
                closing is not None
                and stack
                and closing < _line_indentation(failure, opener)
                and closing == _line_indentation(failure, stack[-1])
            ):
                return opener
    return stack[-1]


def _indentation(failure: Failure, index: int) -> int | None:
    """The column of a token that starts its line."""
    position = failure.source.position(failure.tokens[index].start)
    first = failure.source.line(position.line)[: position.column - 1]
    return None if first.strip() else position.column - 1


def _line_indentation(failure: Failure, index: int) -> int:
    """The margin of a token's line; a stage's is that of its call."""
    line = failure.source.line(failure.source.position(failure.tokens[index].start).line)
    return len(line) - len(line.lstrip(" \t|"))


def _mismatched(failure: Failure, index: int, opener: int) -> Diagnostic:
    message = (
        f"mismatched {shown(failure.tokens[index])}; "
        f"this {shown(failure.tokens[opener])} is still open"
    )
    label = Label(failure.span(opener), "opened here")
    closer = SPELLING[OPENERS[failure.kinds[opener]]]
    return Diagnostic("E0110", message, failure.span(index), (label,), f"close it with `{closer}`")


def _wrong(failure: Failure, index: int, kind: str) -> Diagnostic:
    """Another token should stand at ``index``."""
    token = failure.tokens[index]
    opened = failure.open_brackets(index)
    if kind in CLOSERS and token.type in CLOSERS and opened:
        return _mismatched(failure, index, opened[-1])
    if kind in SPELLING and kind not in ("PLUS", "IN", "IF", "DEF") and token.type != END:
        text = SPELLING[kind]
        message = f"unexpected {shown(token)}; expected `{text}`"
        fix = Fix(f"write `{text}`", (Edit(failure.span(index), text),))
        return Diagnostic("E0113", message, failure.span(index), fixes=(fix,))
    return _unexpected(failure, index)


def _unmatched(failure: Failure, index: int) -> bool:
    return failure.kinds[index] in CLOSERS and not failure.open_brackets(index)


def _stray_colon(failure: Failure, index: int) -> Diagnostic:
    return Diagnostic("E0108", "unexpected `:`", failure.span(index))


def _unexpected(failure: Failure, index: int | None = None) -> Diagnostic:
    """The token at ``index``, by default the failing one, cannot stand there."""
    at = failure.at if index is None else index
    token = failure.tokens[at]
    accepted = failure.accepted if at == failure.at else frozenset()
    expected = expectation(accepted)
    if token.type == END:
        wanted = f"; expected {expected}" if expected else ""
        last = failure.source.span(max(token.end - 1, 0), token.end)
        return Diagnostic("E0105", f"unexpected end of declaration{wanted}", last)
    if _unmatched(failure, at):
        fix = Fix("remove it", (Edit(failure.span(at), ""),))
        return Diagnostic("E0111", f"unmatched {shown(token)}", failure.span(at), fixes=(fix,))
    wanted = f"; expected {expected}" if expected else ""
    code = "E0108" if token.type == "COLON" else "E0113"
    return Diagnostic(code, f"unexpected {shown(token)}{wanted}", failure.span(at))
