"""Flows in brackets, in lists and added: long ones have names, `concat` puts them together."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang.failure import Failure, Repair
from dpipe.lang.repairs import expression_start, find, made, repaired, short
from dpipe.lang.scan import CLOSERS, OPENERS, Token

_HEADS = ("EQUAL", "LBRACE")
_FLOWS = ("FLOW", "SINK", "PIPE")


def bracketed_flow(failure: Failure) -> Iterator[Repair]:
    """`flow a = (b | limit(3)) | …`, whose brackets say nothing."""
    at = failure.at
    if failure.kinds[0] not in _FLOWS or failure.kind(-1) not in _HEADS:
        return
    stop = find(failure, frozenset(("RPAR",)), at + 1)
    if stop is None:
        return
    inside = tuple(failure.tokens[at + 1 : stop])
    message = "a flow stands without brackets"
    write = failure.text(at + 1, stop)
    yield repaired(failure, at, stop + 1, inside, "E0113", (at, at), message, write=write)


def nested_flow(failure: Failure) -> Iterator[Repair]:
    """`concat(a, (b | limit(3)))` and `against: b | limit(3)`."""
    at, opened = failure.at, failure.open_brackets(failure.at)
    begin = expression_start(failure)
    if not opened or begin is None or failure.starts_line(at):
        return
    if (failure.kinds[begin], failure.kind(1), failure.kind(2)) != ("NAME", "NAME", "LPAR"):
        return
    stop = find(failure, frozenset(("COMMA", *CLOSERS)), at)
    if stop is None:
        return
    message = "a flow of several stages stands in brackets by its name"
    written = short(failure.text(begin, stop))
    help = f"declare it, `flow some = {written}`, and write `some` here"
    begin, stop = _with_brackets(failure, begin, stop)
    error = Token("ERROR", "", failure.tokens[begin].start, failure.tokens[stop - 1].end)
    yield repaired(failure, begin, stop, (error,), "E0113", (at, at), message, help=help)


def _with_brackets(failure: Failure, begin: int, stop: int) -> tuple[int, int]:
    """The stretch with the brackets right around it, unless they are those of a call."""
    before = failure.kinds[begin - 2] if begin > 1 else ""
    around = failure.kinds[begin - 1] == "LPAR" and failure.kinds[stop] == OPENERS["LPAR"]
    if around and before in ("COMMA", "COLON", "LPAR"):
        return begin - 1, stop + 1
    return begin, stop


def added_flows(failure: Failure) -> Iterator[Repair]:
    """`flow all = train + val` and `flow all = train, val`"""
    at = begin = failure.at
    while begin > 0 and failure.kinds[begin - 1] in ("NAME", "ATTR"):
        begin -= 1
    if failure.kinds[0] not in _FLOWS or failure.kinds[begin - 1] not in _HEADS:
        return
    stop = at
    while failure.kinds[stop] == failure.token.type and failure.kinds[stop + 1] == "NAME":
        stop += 2
        while failure.kinds[stop] == "ATTR":
            stop += 1
    if stop > at:
        yield _concat(failure, (begin, stop), (begin, stop), (at, at), failure.token.type)


def listed_flows(failure: Failure) -> Iterator[Repair]:
    """`flow all = [train, val]`"""
    at = failure.at
    if failure.kinds[0] not in _FLOWS or failure.kind(-1) not in _HEADS:
        return
    stop = find(failure, frozenset(("RSQB",)), at + 1)
    if stop is None or stop == at + 1:
        return
    if {*failure.kinds[at + 1 : stop]} <= {"NAME", "ATTR", "COMMA"}:
        yield _concat(failure, (at, stop + 1), (at + 1, stop), (at, stop), "COMMA")


def _concat(
    failure: Failure,
    whole: tuple[int, int],
    flows: tuple[int, int],
    marked: tuple[int, int],
    between: str,
) -> Repair:
    """``concat(a, b)`` in the place of flows that something else stands between."""
    inside = [
        Token("COMMA", ",", token.start, token.end) if token.type == between else token
        for token in failure.tokens[slice(*flows)]
    ]
    tokens = (
        made(failure, "NAME", "concat", whole[0]),
        made(failure, "LPAR", "(", whole[0]),
        *inside,
        made(failure, "RPAR", ")", whole[1]),
    )
    written = "".join(", " if token.type == "COMMA" else token.text for token in inside)
    write = f"concat({written})"
    message = f"flows are put together by `concat`; write `{short(write)}`"
    return repaired(failure, *whole, tokens, "E0113", marked, message, write=write)
