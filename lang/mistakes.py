"""What is told of a mistake that is no habit: something missing, wrong, or one too many."""

from __future__ import annotations

from dpipe.lang.automaton import END
from dpipe.lang.diagnostics import Diagnostic, Edit, Fix, Label
from dpipe.lang.failure import Failure
from dpipe.lang.phrases import SPELLING, expectation, shown
from dpipe.lang.repairs import COMPARISONS
from dpipe.lang.scan import CLOSERS, OPENERS

_BINARY = COMPARISONS | {"PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "AND", "OR", "COALESCE"}


def missing(failure: Failure, index: int, kinds: tuple[str, ...]) -> Diagnostic:
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
    return unexpected(failure)


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
    help = f"close it with `{closer}` before"
    return Diagnostic("E0110", message, failure.span(index), (label,), help)


def wrong(failure: Failure, index: int, kind: str) -> Diagnostic:
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
    return unexpected(failure, index)


def _unmatched(failure: Failure, index: int) -> bool:
    return failure.kinds[index] in CLOSERS and not failure.open_brackets(index)


def stray_colon(failure: Failure, index: int) -> Diagnostic:
    return Diagnostic("E0108", "unexpected `:`", failure.span(index))


def unexpected(failure: Failure, index: int | None = None) -> Diagnostic:
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
    before = failure.tokens[at - 1] if at else token
    if token.type in CLOSERS and before.type in _BINARY and expected == "an expression":
        message = f"{shown(before)} has no value behind it"
        return Diagnostic("E0113", message, failure.span(at - 1))
    wanted = f"; expected {expected}" if expected else ""
    code = "E0108" if token.type == "COLON" else "E0113"
    return Diagnostic(code, f"unexpected {shown(token)}{wanted}", failure.span(at))
