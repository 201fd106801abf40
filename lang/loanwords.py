"""Habits that are words: `.text contains "x"`, `where .x > 3`, `[t for t in xs]`, `let x = 3`."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang.automaton import END
from dpipe.lang.failure import Failure, Repair
from dpipe.lang.repairs import AFTER_COMPARISON, find, made, operand, repaired, short
from dpipe.lang.scan import CLOSERS, OPENERS, Token

_CALLED = {
    "contains": "contains",
    "includes": "contains",
    "has": "contains",
    "starts_with": "starts_with",
    "startswith": "starts_with",
    "ends_with": "ends_with",
    "endswith": "ends_with",
    "matches": "matches",
    "like": "matches",
}
"""Operators of other languages that are functions here."""
_ENUMS = ("enum", "literal", "choice", "choices", "oneof", "one_of")
_OPERANDS = frozenset(("FIELD", "NOT", "LPAR", "TRUE", "FALSE"))


def word_operator(failure: Failure) -> Iterator[Repair]:
    """`.text contains "x"`, whose words are a function's"""
    at, begin = failure.at, operand(failure, "IN")
    called = _CALLED.get(failure.token.text)
    if called is None or begin is None:
        return
    stop = find(failure, AFTER_COMPARISON, at + 1)
    if stop is None or stop == at + 1:
        return
    write = f"{called}({failure.text(begin, at)}, {failure.text(at + 1, stop)})"
    tokens = (
        made(failure, "NAME", called, begin),
        made(failure, "LPAR", "(", begin),
        *failure.tokens[begin:at],
        made(failure, "COMMA", ",", at),
        *failure.tokens[at + 1 : stop],
        made(failure, "RPAR", ")", stop),
    )
    message = f"`{failure.token.text}` is not an operator; write `{short(write)}`"
    yield repaired(failure, begin, stop, tokens, "E0103", (at, at), message, write=write)


def bar(failure: Failure) -> Iterator[Repair]:
    """`.a == 1 | .b == 2`, where no stage can begin"""
    at = failure.at
    if "OR" not in failure.accepted or failure.kind(1) not in _OPERANDS or failure.starts_line(at):
        return
    message = "`|` is not an operator; write `or`"
    word = (made(failure, "OR", "or", at),)
    yield repaired(failure, at, at + 1, word, "E0103", (at, at), message, write="or")


def between(failure: Failure) -> Iterator[Repair]:
    """`.n between 1 and 5`"""
    at = failure.at
    if failure.token.text != "between" or operand(failure, "IN") is None:
        return
    middle = find(failure, frozenset(("AND",)), at + 1)
    stop = find(failure, AFTER_COMPARISON, middle + 1) if middle is not None else None
    if middle is None or stop is None:
        return
    low, high = failure.text(at + 1, middle), failure.text(middle + 1, stop)
    write = f"in {low}..{high}"
    tokens = (
        made(failure, "IN", "in", at),
        *failure.tokens[at + 1 : middle],
        made(failure, "RANGE", "..", middle),
        *failure.tokens[middle + 1 : stop],
    )
    message = f"`between` is not an operator; write `{short(write)}`"
    yield repaired(failure, at, stop, tokens, "E0103", (at, at), message, write=write)


def bare_arguments(failure: Failure) -> Iterator[Repair]:
    """`| where .text != ""`: a stage's arguments without parentheses"""
    at = failure.at
    begin = at - 1
    while begin > 0 and failure.kinds[begin] == "ATTR":
        begin -= 1
    if failure.kinds[begin] != "NAME" or failure.kinds[begin - 1] != "VBAR" or begin < 1:
        return
    stop = find(failure, frozenset(("VBAR", *CLOSERS, END)), at)
    if stop is None or failure.starts_line(at):
        return
    write = f"({failure.text(at, stop)})"
    tokens = (
        made(failure, "LPAR", "(", at),
        *failure.tokens[at:stop],
        made(failure, "RPAR", ")", stop),
    )
    stage = failure.text(begin, at)
    help = f"write `{short(stage + write)}`"
    message = f"the arguments of `{stage}` stand in parentheses"
    yield repaired(failure, at, stop, tokens, "E0502", (at, at), message, help=help, write=write)


def comprehension(failure: Failure) -> Iterator[Repair]:
    """`[f(t) for t in xs if g(t)]`"""
    at = failure.at
    opened = failure.open_brackets(at)
    if failure.token.text != "for" or not opened or failure.kinds[opened[-1]] != "LSQB":
        return
    if failure.kind(1) != "NAME" or failure.kind(2) != "IN":
        return
    begin, close = opened[-1], find(failure, frozenset(("RSQB",)), at)
    test = find(failure, frozenset(("IF", "RSQB")), at)
    if close is None or test is None or close == at + 3:
        return
    name = failure.tokens[at + 1]
    element, listed = failure.text(begin + 1, at), failure.text(at + 3, test)
    condition = failure.text(test + 1, close)
    xs = f"filter({listed}, {name.text} -> {condition})" if condition else listed
    write = f"map({xs}, {name.text} -> {element})"
    error = (made(failure, "ERROR", "", begin),)
    message = f"a list is built of another by `map`; write `{short(write)}`"
    yield repaired(failure, begin, close + 1, error, "E0103", (at, at), message, write=write)


def without_result(failure: Failure) -> Iterator[Repair]:
    """`def f(x: int) = …`, `prompt p(x: str) { … }`: no type of what is given"""
    at = failure.at
    if failure.kinds[0] not in ("DEF", "PROMPT") or "ARROW" not in failure.accepted:
        return
    if failure.kind(-1) != "RPAR":
        return
    arrow, error = made(failure, "ARROW", "->", at), made(failure, "ERROR", "", at)
    name = failure.tokens[1].text
    message = f"`{name}` needs the type of what it gives"
    help = "write it behind the parameters, as in `-> str`"
    yield repaired(failure, at, at, (arrow, error), "E0113", (at, at), message, help=help)


def braced_def(failure: Failure) -> Iterator[Repair]:
    """`def f(x: int) -> int { x + 1 }`"""
    at = failure.at
    if failure.kinds[0] != "DEF" or "EQUAL" not in failure.accepted:
        return
    close = find(failure, frozenset(("RBRACE",)), at + 1)
    if close is None or close == at + 1:
        return
    write = f"= {failure.text(at + 1, close)}"
    tokens = (made(failure, "EQUAL", "=", at), *failure.tokens[at + 1 : close])
    message = f"a `def` is one expression; write `{short(write)}`"
    yield repaired(failure, at, close + 1, tokens, "E0113", (at, at), message, write=write)


def record_word(failure: Failure) -> Iterator[Repair]:
    """`type T = record { … }`"""
    at = failure.at
    before = failure.tokens[at - 1]
    if failure.kinds[0] != "TYPE" or before.type != "NAME" or failure.kind(-2) != "EQUAL":
        return
    message = "a record type is written `{ … }` alone"
    bare = (failure.token,)
    marked = (at - 1, at - 1)
    yield repaired(failure, at - 1, at + 1, bare, "E0113", marked, message, write="{")


def enum_word(failure: Failure) -> Iterator[Repair]:
    """`enum("a", "b")`, `Literal["a", "b"]`, `enum { a, b }`"""
    at = failure.at
    before = failure.tokens[at - 1]
    if before.text.lower() not in _ENUMS or "QMARK" not in failure.accepted:
        return
    stop = find(failure, frozenset((OPENERS[failure.token.type],)), at + 1)
    if stop is None:
        return
    members = [t for t in failure.tokens[at + 1 : stop] if t.type not in ("COMMA", "VBAR")]
    if not members or any(member.type not in ("STRING", "NAME") for member in members):
        return
    texts = [member.text if member.type == "STRING" else f'"{member.text}"' for member in members]
    write = " | ".join(texts)
    tokens: list[Token] = []
    for member, text in zip(members, texts, strict=True):
        tokens += (made(failure, "VBAR", "|", at), Token("STRING", text, member.start, member.end))
    message = f"one of several texts is the type `{short(write)}`"
    marked = (at - 1, stop)
    yield repaired(
        failure, at - 1, stop + 1, tuple(tokens[1:]), "E0113", marked, message, write=write
    )


def or_type(failure: Failure) -> Iterator[Repair]:
    """`type T = "a" or "b"`"""
    at = failure.at
    if "QMARK" not in failure.accepted or "VBAR" not in failure.accepted:
        return
    message = "types are put together by `|`; write `|`"
    either = (made(failure, "VBAR", "|", at),)
    yield repaired(failure, at, at + 1, either, "E0113", (at, at), message, write="|")


def bare_message(failure: Failure) -> Iterator[Repair]:
    """`prompt p(x: str) -> str { "{x}" }`: a text without who says it"""
    at = failure.at
    if failure.kinds[0] != "PROMPT" or "KEY" not in failure.accepted:
        return
    if not failure.open_brackets(at) or failure.kinds[failure.open_brackets(at)[-1]] != "LBRACE":
        return
    tokens = (made(failure, "KEY", "user", at), made(failure, "COLON", ":", at), failure.token)
    message = "a message of a prompt needs to know whose it is"
    help = f"write `{short(f'user: {failure.text(at, at + 1)}')}`"
    yield repaired(failure, at, at + 1, tokens, "E0116", (at, at), message, help=help)


def dashed_comment(failure: Failure) -> Iterator[Repair]:
    """`flow a = b -- a comment`"""
    at, tokens = failure.at, failure.tokens
    if failure.kind(1) != "MINUS" or tokens[at].end != tokens[at + 1].start:
        return
    stop = at + 2
    while stop < len(tokens) - 1 and not failure.starts_line(stop):
        stop += 1
    message = "a comment begins with `#`"
    yield repaired(failure, at, stop, (), "E0103", (at, at + 1), message, help="write `#`")
