"""The habits of other languages: each is told in its own words and read as what it means."""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang import loanwords, nested
from dpipe.lang.automaton import END
from dpipe.lang.diagnostics import Diagnostic, Edit, Fix
from dpipe.lang.failure import Failure, Repair
from dpipe.lang.phrases import expectation, shown
from dpipe.lang.repairs import (
    AFTER_COMPARISON,
    COMPARISONS,
    expression_start,
    find,
    made,
    named,
    operand,
    repaired,
    short,
)
from dpipe.lang.scan import CLOSERS, KEYWORDS, OPENERS, Token

_VALUES = frozenset(("NAME", "FIELD", "STRING", "LONG_STRING", "INT", "FLOAT", "NULL", "TRUE"))


def habits(failure: Failure) -> Iterator[Repair]:
    """The repairs that fit what failed, the likeliest first."""
    for habit in _HABITS.get(failure.token.type, ()):
        yield from habit(failure)
    yield from _keyword_as_name(failure)
    yield from _import_without_name(failure)
    yield from _missing_keyword(failure)


# -- names ---------------------------------------------------------------------------------------


def _keyword_as_name(failure: Failure) -> Iterator[Repair]:
    token, at = failure.token, failure.at
    if token.text in KEYWORDS and token.type != "KEY" and "NAME" in failure.accepted:
        message = f"`{token.text}` is a keyword and cannot be used as a name"
        help = f"take another, like `{token.text}_`"
        yield repaired(failure, at, at + 1, (named(token),), "E0112", (at, at), message, help=help)


def _missing_keyword(failure: Failure) -> Iterator[Repair]:
    """A line that is a declaration but for its keyword: ` seeds: Seed = …`."""
    at = failure.at
    if END not in failure.accepted or not failure.starts_line(at) or not at:
        return
    if failure.token.type not in ("NAME", "KEY") or failure.open_brackets(at):
        return
    if find(failure, frozenset(("EQUAL", "ARROW", "LBRACE")), at) is None:
        return
    message = f"expected a declaration, found {shown(failure.token)}"
    help = "a declaration starts in column 1 with its keyword"
    yield repaired(failure, at, len(failure.kinds) - 1, (), "E0114", (at, at), message, help=help)


def _import_without_name(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    if failure.kinds[:2] != ["IMPORT", "STRING"] or at != 2:
        return
    path = failure.tokens[1]
    stem = path.text.strip('"').rpartition("/")[2].partition(".")[0]
    name = stem if stem.isidentifier() and stem not in KEYWORDS else "m"
    tokens = (made(failure, "AS", "as", at), Token("NAME", name, path.end, path.end))
    place = failure.source.span(path.end, path.end)
    finding = Diagnostic(
        "E0105",
        "a file is imported under a name",
        failure.span(1),
        help=f"write `as {name}` behind it",
        fixes=(Fix(f"add `as {name}`", (Edit(place, f" as {name}"),)),),
    )
    yield Repair(at, at, tokens, lambda: finding)


# -- operators -----------------------------------------------------------------------------------


def _not_in(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    begin = operand(failure, "IN")
    if failure.kind(1) != "IN" or begin is None:
        return
    left = failure.text(begin, at)
    write = f"not {left} in"
    negation = made(failure, "NOT", "not", begin)
    moved = (negation, *failure.tokens[begin:at], failure.tokens[at + 1])
    message = f"`not in` is not an operator; write `{write} …`"
    yield repaired(
        failure, begin, at + 2, moved, "E0103", (at, at + 1), message, write=write, safe=True
    )
    kept = (failure.tokens[at + 1],)
    yield repaired(failure, at, at + 2, kept, "E0103", (at, at + 1), message)


def _is(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    if failure.token.text != "is" or "EQ" not in failure.accepted:
        return
    negated = failure.kind(1) == "NOT"
    kind, text = ("NE", "!=") if negated else ("EQ", "==")
    words = "is not" if negated else "is"
    until = at + 1 + negated
    token = Token(kind, text, failure.token.start, failure.tokens[until - 1].end)
    message = f"`{words}` is not an operator; write `{text}`"
    yield repaired(
        failure, at, until, (token,), "E0103", (at, until - 1), message, write=text, safe=True
    )


def _chain(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    first = at - 1
    depth = 0
    while first > 0 and (depth or failure.kinds[first] not in COMPARISONS):
        depth += (failure.kinds[first] in CLOSERS) - (failure.kinds[first] in OPENERS)
        if depth < 0:
            return
        first -= 1
    if first <= 0 or "AND" not in failure.accepted:
        return
    middle = failure.text(first + 1, at)
    also = made(failure, "AND", "and", at)
    tokens = (also, *failure.tokens[first + 1 : at])
    stop = find(failure, AFTER_COMPARISON, at + 1) or at + 1
    before, after = failure.text(_left_of(failure, first), at), failure.text(at, stop)
    message = f"comparisons do not chain; write `{before} and {middle} {after}`"
    yield repaired(failure, at, at, tokens, "E0121", (at, at), message, write=f"and {middle} ")


def _left_of(failure: Failure, operator: int) -> int:
    """Where the left operand of a comparison before the failing token starts."""
    stack = failure.automaton.shift(failure.stacks[operator], failure.kinds[operator], operator)
    return stack.below.begin if stack and stack.below else operator


def _ternary(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    begin = expression_start(failure)
    colon = find(failure, frozenset(("COLON",)), at + 1)
    if begin is None or "COALESCE" not in failure.accepted:
        return
    message = "`? :` is not an operator; write `if … then … else …`"
    if colon is None:
        help = "a value that may be null is read by `x ?? default`"
        removed = "`?` is not an operator here"
        yield repaired(failure, at, at + 1, (), "E0103", (at, at), removed, help=help, write="")
        return
    test, then = failure.tokens[begin:at], failure.tokens[at + 1 : colon]
    then = [_plain(token) if index == len(then) - 1 else token for index, token in enumerate(then)]
    words = [made(failure, kind, "", at) for kind in ("IF", "THEN", "ELSE")]
    tokens = (words[0], *test, words[1], *then, words[2])
    write = f"if {failure.text(begin, at)} then {failure.text(at + 1, colon)} else"
    yield repaired(failure, begin, colon + 1, tokens, "E0103", (at, at), message, write=write)


def _plain(token: Token) -> Token:
    """A label read as the value it is."""
    if token.type != "KEY":
        return token
    kind = "STRING" if token.text.startswith('"') else KEYWORDS.get(token.text, "NAME")
    return Token(kind, token.text, token.start, token.end)


def _bare_if(failure: Failure) -> Iterator[Repair]:
    """`1 + if a then b else c`, and the order of Python, `a if c else b`."""
    at = failure.at
    begin = expression_start(failure)
    if "ERROR" in failure.accepted:
        stop = find(failure, frozenset(("COMMA", "VBAR", "KEY", *CLOSERS, END)), at)
        if stop is None:
            return
        inner = failure.tokens[at:stop]
        tokens = (made(failure, "LPAR", "(", at), *inner, made(failure, "RPAR", ")", stop))
        message = "an `if` inside an operator needs parentheses"
        write = f"({failure.text(at, stop)})"
        help = f"write `{short(write)}`"
        marked = (at, at)
        yield repaired(failure, at, stop, tokens, "E0127", marked, message, help=help, write=write)
        return
    otherwise = find(failure, frozenset(("ELSE",)), at)
    if begin is None or otherwise is None:
        return
    value, test = failure.tokens[begin:at], failure.tokens[at + 1 : otherwise]
    words = [made(failure, kind, "", at) for kind in ("THEN",)]
    tokens = (failure.token, *test, words[0], *value, failure.tokens[otherwise])
    write = f"if {failure.text(at + 1, otherwise)} then {failure.text(begin, at)} else"
    message = f"the condition comes first: `{write} …`"
    yield repaired(failure, begin, otherwise + 1, tokens, "E0103", (at, at), message, write=write)


# -- `=` and `:` ---------------------------------------------------------------------------------


def _equals(failure: Failure) -> Iterator[Repair]:
    at = failure.at
    before = failure.tokens[at - 1]
    argument = failure.kind(-1) == "NAME" and failure.kind(-2) in ("COMMA", "LPAR", "LBRACE")
    if argument and failure.automaton.accepts(failure.stacks[at - 1], "KEY"):
        colon = Token("COLON", ":", failure.token.start, failure.token.end)
        key = Token("KEY", before.text, before.start, before.end)
        write = f"{before.text}:"
        message = f"named arguments use `:`; write `{write}`"
        if failure.kinds[failure.open_brackets(at)[-1]] == "LBRACE":
            message = f"entries use `:`; write `{write}`"
        yield repaired(
            failure,
            at - 1,
            at + 1,
            (key, colon),
            "E0106",
            (at, at),
            message,
            write=write,
            safe=True,
        )
    elif "EQ" in failure.accepted:
        equal = Token("EQ", "==", failure.token.start, failure.token.end)
        message = "`=` cannot be used in an expression; write `==`"
        yield repaired(failure, at, at + 1, (equal,), "E0107", (at, at), message, write="==")


def _untyped(failure: Failure) -> Iterator[Repair]:
    """A parameter or setting without its type: `prompt p(text)`, `param n = 3`."""
    at = failure.at
    name = at - 1 if failure.kind(-1) == "NAME" else at
    token = failure.tokens[name]
    if token.type != "NAME" or failure.kinds[name - 1] not in ("PARAM", "LPAR", "COMMA", "LBRACE"):
        return
    following = failure.kinds[name + 1] if name + 1 < len(failure.kinds) else END
    if following not in ("EQUAL", "COMMA", "RPAR", "STRING", END):
        return
    key = Token("KEY", token.text, token.start, token.end)
    colon = Token("COLON", ":", token.end, token.end)
    error = Token("ERROR", "", token.end, token.end)
    stack = failure.automaton.shift_all(failure.stacks[name], ("KEY", "COLON"), name)
    if stack is None or not failure.automaton.accepts(stack, "FLOW"):
        return
    message = f"`{token.text}` needs a type"
    help = f"write it behind a colon, as in `{token.text}: str`"
    yield repaired(
        failure, name, name + 1, (key, colon, error), "E0116", (name, name), message, help=help
    )


def _missing_colon(failure: Failure) -> Iterator[Repair]:
    """`using gen` for `using: gen`, `answer str` for `answer: str`."""
    at = failure.at
    for name in (at - 1, at):
        token = failure.tokens[name]
        before = failure.kinds[name - 1] if name else ""
        after = failure.tokens[name + 1] if name + 1 < len(failure.tokens) else token
        if token.type not in ("NAME", *KEYWORDS.values()) or before in ("LSQB", ""):
            continue
        same_line = "\n" not in failure.source.text[token.end : after.start]
        if after.type == END or not same_line or (name != at and before not in ("COMMA", "LPAR")):
            continue
        key = Token("KEY", token.text, token.start, token.end)
        colon = Token("COLON", ":", token.end, token.end)
        message = f"missing `:` after `{token.text}`"
        yield repaired(
            failure,
            name,
            name + 1,
            (key, colon),
            "E0116",
            (name, name),
            message,
            write=f"{token.text}:",
            safe=True,
        )


def _label_for_name(failure: Failure) -> Iterator[Repair]:
    """`model x: openai(…)`: what is declared so is bound by `=`."""
    at = failure.at
    if failure.kind(1) != "COLON" or failure.kind(-1) not in ("MODEL", "TYPE", "SINK"):
        return
    colon = failure.tokens[at + 1]
    equal = Token("EQUAL", "=", colon.start, colon.end)
    yield repaired(
        failure,
        at,
        at + 2,
        (named(failure.token), equal),
        "E0108",
        (at + 1, at + 1),
        "unexpected `:`; expected `=`",
        write=f"{failure.token.text} =",
    )


def _slice(failure: Failure) -> Iterator[Repair]:
    """`xs[1:3]`, whose last is left out elsewhere and is not here."""
    at = failure.at
    opened = failure.open_brackets(at)
    if not opened or failure.kinds[opened[-1]] != "LSQB":
        return
    begin = opened[-1] + 1
    colon = find(failure, frozenset(("COLON",)), begin)
    stop = find(failure, frozenset(("RSQB",)), begin)
    if colon is None or stop is None or colon > stop:
        return
    low, high = failure.tokens[begin:colon], failure.tokens[colon + 1 : stop]
    first = failure.text(begin, colon) or "0"
    last = _last_of_slice(failure.text(colon + 1, stop))
    numbers = [Token("INT", "0", failure.tokens[colon].start, failure.tokens[colon].start)]
    dots = Token("RANGE", "..", failure.tokens[colon].start, failure.tokens[colon].end)
    tokens = (*([_plain(t) for t in low] or numbers), dots, *(high or numbers))
    write = f"{first}..{last}"
    message = f"a part of a list or string is `[{write}]`, both ends included"
    yield repaired(failure, begin, stop, tokens, "E0103", (colon, colon), message, write=write)


def _last_of_slice(text: str) -> str:
    """The last index that Python's excluded end leaves in."""
    if not text:
        return "-1"
    return str(int(text) - 1) if text.isdecimal() else f"{text} - 1"


# -- lambdas -------------------------------------------------------------------------------------


def _lambda_parameters(failure: Failure) -> Iterator[Repair]:
    """`(a, b) -> …`, `(a) -> …` and `() -> …`"""
    arrow = failure.at if failure.token.type == "ARROW" else _find_arrow(failure)
    if arrow is None or failure.kinds[arrow - 1] != "RPAR":
        return
    begin = arrow - 2
    while begin > 0 and failure.kinds[begin] in ("NAME", "COMMA"):
        begin -= 1
    if failure.kinds[begin] != "LPAR":
        return
    names = [token for token in failure.tokens[begin:arrow] if token.type == "NAME"]
    first = names[0] if names else made(failure, "NAME", "_", begin)
    help = None
    if len(names) == 1:
        message = f"a lambda's value stands without parentheses; write `{first.text} -> …`"
    else:
        message = f"a lambda takes one value, found {len(names)}"
        help = "give the values one name and read them as its fields"
    yield repaired(
        failure,
        begin,
        arrow,
        (first,),
        "E0126",
        (begin, arrow - 1),
        message,
        help=help,
        write=first.text if len(names) == 1 else None,
    )


def _find_arrow(failure: Failure) -> int | None:
    """The arrow behind the parentheses that the failing token stands in."""
    index = failure.at
    while failure.kinds[index] in ("NAME", "COMMA"):
        index += 1
    return (
        index + 1
        if failure.kinds[index] == "RPAR" and failure.kinds[index + 1] == "ARROW"
        else None
    )


def _python_lambda(failure: Failure) -> Iterator[Repair]:
    """`lambda x: …`"""
    at = failure.at
    if failure.kind(-1) != "NAME" or failure.tokens[at - 1].text != "lambda":
        return
    if failure.kind(1) != "COLON":
        return
    colon = failure.tokens[at + 1]
    tokens = (named(failure.token), Token("ARROW", "->", colon.start, colon.end))
    write = f"{failure.token.text} ->"
    message = f"a lambda is written `{write} …`"
    yield repaired(
        failure, at - 1, at + 2, tokens, "E0126", (at - 1, at - 1), message, write=write, safe=True
    )


# -- types ---------------------------------------------------------------------------------------


def _null_type(failure: Failure) -> Iterator[Repair]:
    """`str | null`"""
    at = failure.at
    if expectation(failure.accepted) != "a type":
        return
    if failure.kind(-1) == "VBAR":
        optional = Token("QMARK", "?", failure.tokens[at - 1].start, failure.token.end)
        message = "`null` is not a type; write `?` behind the type"
        begin = failure.stacks[at - 1].begin
        help = f"write `{failure.text(begin, at - 1)}?`"
        yield repaired(
            failure, at - 1, at + 1, (optional,), "E0125", (at, at), message, help=help, write="?"
        )
    if failure.kind(1) == "VBAR":
        message = "`null` is not a type; write `?` behind the type"
        yield repaired(failure, at, at + 2, (), "E0125", (at, at), message)


def _generic_type(failure: Failure) -> Iterator[Repair]:
    """`list[str]`, `Optional[str]` and `str[]`"""
    at = failure.at
    before = failure.tokens[at - 1]
    if before.type != "NAME" or "QMARK" not in failure.accepted:
        return
    if failure.kind(1) == "RSQB":
        write = f"[{before.text}]"
        opening = Token("LSQB", "[", before.start, before.start)
        listed = (opening, before, failure.tokens[at + 1])
        message = f"a list type is written `{write}`"
        yield repaired(failure, at - 1, at + 2, listed, "E0113", (at, at + 1), message, write=write)
        return
    stop = find(failure, frozenset(("RSQB",)), at + 1)
    if stop is None:
        return
    inner = failure.text(at + 1, stop)
    if before.text == "Optional":
        optional = Token("QMARK", "?", failure.tokens[stop].start, failure.tokens[stop].end)
        tokens: tuple[Token, ...] = (*failure.tokens[at + 1 : stop], optional)
        write = f"{inner}?"
        message = f"a type that allows null is written `{write}`"
    elif before.text.lower() in ("list", "array", "sequence"):
        tokens = tuple(failure.tokens[at : stop + 1])
        write = f"[{inner}]"
        message = f"a list type is written `{write}`"
    else:
        return
    yield repaired(
        failure, at - 1, stop + 1, tokens, "E0113", (at - 1, at - 1), message, write=write
    )


_HABITS = {
    "NOT": (_not_in,),
    "NAME": (
        loanwords.word_operator,
        loanwords.between,
        loanwords.comprehension,
        _is,
        loanwords.bare_arguments,
        _missing_colon,
        _untyped,
    ),
    "FIELD": (loanwords.bare_arguments,),
    "INT": (loanwords.bare_arguments,),
    "STRING": (loanwords.bare_arguments, loanwords.bare_message),
    "LONG_STRING": (loanwords.bare_message,),
    "LBRACE": (
        loanwords.without_result,
        loanwords.braced_def,
        loanwords.enum_word,
        loanwords.record_word,
    ),
    "MINUS": (loanwords.dashed_comment,),
    "QMARK": (_ternary,),
    "IF": (_bare_if,),
    "EQUAL": (loanwords.without_result, _untyped, _equals),
    "COMMA": (nested.added_flows, _lambda_parameters, _untyped),
    "PLUS": (nested.added_flows,),
    "OR": (loanwords.or_type,),
    "RPAR": (_lambda_parameters, _untyped),
    "ARROW": (_lambda_parameters,),
    "COLON": (_slice,),
    "KEY": (_python_lambda, _slice, _label_for_name),
    "NULL": (_null_type,),
    "LSQB": (nested.listed_flows, loanwords.enum_word, _generic_type),
    "VBAR": (nested.nested_flow, loanwords.bar),
    "LPAR": (nested.bracketed_flow, loanwords.enum_word),
    END: (_untyped,),
    **dict.fromkeys(COMPARISONS, (_chain,)),
}
for _kind in _VALUES | {"LBRACE", "MODEL", "PROMPT", "FLOW"}:
    _HABITS[_kind] = (*_HABITS.get(_kind, ()), _missing_colon)
