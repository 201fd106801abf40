"""Makes a declaration that does not parse into one that does, telling each mistake once.

At the first token that does not fit, every small edit is tried: put something in, take the token
out, write another, swap two. The edit after which most of what follows fits wins; among equals
the likelier mistake. Where no small edit helps, a stretch up to the next `,`, `|`, label or
closing bracket gives way to ERROR. What follows a mistake within three tokens is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dpipe.lang.automaton import END, Automaton, Stack
from dpipe.lang.diagnostics import Bag
from dpipe.lang.failure import AHEAD, QUIET, Failure, Repair
from dpipe.lang.mistakes import missing, stray_colon, unexpected, wrong
from dpipe.lang.phrases import SPELLING
from dpipe.lang.scan import CLOSERS, OPENERS, Token
from dpipe.lang.source import Source

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


def recover(
    tokens: list[Token],
    automaton: Automaton,
    source: Source,
    bag: Bag,
    habits: Callable[[Failure], Iterator[Repair]],
    told: list[int],
) -> list[Token] | None:
    """Tokens that parse, one ERROR for each part that could not be read; None if that fails.

    ``told`` are the places, in order, where something is known to be wrong: a malformed token.
    """
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
            bag.extend([unexpected(failure)])
            return None
        if failure.at >= quiet_until and not failure.follows(told):
            bag.extend([repair.tell()])
        tokens[repair.at : repair.until] = repair.tokens
        del stacks[repair.at + 1 :]
        quiet_until = repair.at + len(repair.tokens) + QUIET
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
    enough = min(failure.at + 1 + QUIET, stop)
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
        yield Repair(at, at + 1, (), lambda: unexpected(failure), 30)
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
    tell = lambda: stray_colon(failure, at + 1)  # noqa: E731
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
    tell = lambda: unexpected(failure, opener)  # noqa: E731
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
    return Repair(index, index, tokens, lambda: missing(failure, index, kinds), cost)


def _replacement(failure: Failure, index: int, kind: str, cost: int) -> Repair:
    old = failure.tokens[index]
    made = _made(kind, old.start, old.end)
    if kind == "NAME" and old.type in ("KEY", "FIELD", "ATTR"):
        made = Token("NAME", old.text.strip('."'), old.start, old.end)
    tell = lambda: wrong(failure, index, kind)  # noqa: E731
    return Repair(index, index + 1, (made,), tell, cost)


def _swap(failure: Failure, index: int, cost: int) -> Repair:
    first, second = failure.tokens[index : index + 2]
    tell = lambda: unexpected(failure, index)  # noqa: E731
    return Repair(index, index + 2, (second, first), tell, cost)


def _removal(failure: Failure) -> Repair:
    at = failure.at - 1
    return Repair(at, at + 1, (), lambda: unexpected(failure, at), 85)


def _made(kind: str, start: int, end: int) -> Token:
    """A token that the text lacks; names and strings are empty."""
    text = {"STRING": '""', "INT": "0"}.get(kind) or SPELLING.get(kind, "")
    return Token(kind, text, start, end)


# -- larger ones ---------------------------------------------------------------------------------


def _skip(failure: Failure) -> Repair | None:
    """The shortest stretch around the token whose loss, or ERROR in its place, lets it go on."""
    best, best_cost = None, 1 << 30
    for until in _sync_points(failure):
        needed = min(until + QUIET, len(failure.kinds))
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
        yield Repair(begin, until, (), lambda: unexpected(failure))
    else:
        end = start
    error = _made("ERROR", start, end)
    yield Repair(begin, until, (error,), lambda: unexpected(failure))


def _sync_points(failure: Failure) -> Iterator[int]:
    """Where the text may make sense again: no deeper in brackets than the failing token."""
    depth = 0
    stop = min(len(failure.kinds), failure.at + AHEAD)
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
        if len(kinds) > 4 * AHEAD:
            return None
    place = failure.end_of_previous(failure.at)
    tokens = tuple(_made(kind, place, place) for kind in kinds)
    ended = bool(kinds) and failure.token.type == END
    return Repair(
        failure.at,
        len(failure.kinds) - 1,
        tokens,
        lambda: missing(failure, failure.at, tuple(kinds)) if ended else unexpected(failure),
    )
