"""``# dpipe: allow W0302 because …``: a warning that somebody has looked at and accepts.

It stands at the end of the line that the warning is about, or alone on a line before it, and
gives a reason. Errors cannot be allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from dpipe.lang.codes import CODES
from dpipe.lang.diagnostics import Bag, Diagnostic, Edit, Fix
from dpipe.lang.modules import STD, Program
from dpipe.lang.scan import Token, scan, stretches
from dpipe.lang.source import Source, Span

MARK = "dpipe:"
_ALLOW = re.compile(
    r"#\s*dpipe:\s*allow\b(?P<codes>(?:[\s,]*[A-Za-z]\d+\b)*)[\s,:—–-]*(?P<reason>.*)"
)
_CODE = re.compile(r"[A-Za-z]\d+")


class Allow(Struct, frozen=True):
    """One code of a comment; ``line`` is the line that it is about.

    ``alone`` tells that the comment has its line for itself, ``several`` that it has more codes.
    """

    code: str
    span: Span
    line: int
    comment: Span
    alone: bool
    several: bool


def apply_allows(program: Program, bag: Bag) -> tuple[Diagnostic, ...]:
    """The findings that are not allowed, those about allows that are wrong or of no use with them.

    Whether an allow is of use is known of the root file alone, where nothing in it is wrong.
    """
    allows: list[Allow] = []
    own = Bag()
    for file, source in program.sources.items():
        if not file.startswith(STD) and file in program.modules and MARK in source.text:
            allows += allows_in(source, own)
    used = {allow for allow in allows for finding in bag if _covers(program, allow, finding)}
    if not bag.has_errors:
        for allow in allows:
            if allow not in used and allow.span.file == program.root:
                _unused(program.sources[program.root], allow, own)
    kept = [d for d in bag if not any(_covers(program, allow, d) for allow in used)]
    return tuple(sorted([*kept, *own], key=lambda d: (*d.span, d.code)))


def _covers(program: Program, allow: Allow, finding: Diagnostic) -> bool:
    if finding.code != allow.code or finding.span.file != allow.span.file:
        return False
    source = program.sources[finding.span.file]
    return source.position(finding.span.start).line == allow.line


def allows_in(source: Source, bag: Bag) -> Iterator[Allow]:
    """The allows in a file's comments; one that cannot be one is reported."""
    for comment in _comments(source):
        found = _ALLOW.match(comment.text)
        if found is None:
            continue
        span = source.span(comment.start, comment.end)
        if not found["codes"].strip():
            help = "write `# dpipe: allow W0302 the reason why`"
            bag.add("W0903", span, "this allows nothing: it names no code", help=help)
        elif not found["reason"].strip():
            help = "say behind the code why the warning is accepted"
            bag.add("W0903", span, "an allow needs a reason", help=help)
        else:
            yield from _codes(source, comment, found, bag)


def _comments(source: Source) -> Iterator[Token]:
    """Those of the stretches in which somebody speaks to dpipe."""
    for start, end in stretches(source):
        if source.text.find(MARK, start, end) >= 0:
            yield from scan(source, start, end).comments


def _codes(source: Source, comment: Token, found: re.Match[str], bag: Bag) -> Iterator[Allow]:
    line = source.position(comment.start).line
    alone = not source.line(line)[: source.position(comment.start).column - 1].strip()
    codes = list(_CODE.finditer(found["codes"]))
    for code in codes:
        at = comment.start + found.start("codes")
        span = source.span(at + code.start(), at + code.end())
        name = code[0].upper()
        known = CODES.get(name)
        if known is None:
            bag.add("W0903", span, f"no diagnostic has the code `{code[0]}`")
        elif known.severity == "error":
            bag.add("W0903", span, f"`{name}` is an error; errors cannot be allowed")
        else:
            whole = source.span(comment.start, comment.end)
            about = _about(source, line) if alone else line
            yield Allow(name, span, about, whole, alone, len(codes) > 1)


def _about(source: Source, line: int) -> int:
    """The line that a comment on a line of its own is about: the next that is no comment."""
    line += 1
    while line <= len(source.line_starts) and source.line(line).lstrip().startswith("#"):
        line += 1
    return line


def _unused(source: Source, allow: Allow, bag: Bag) -> None:
    span = _with_comma(source, allow.span) if allow.several else _whole_comment(source, allow)
    message = f"nothing here raises {allow.code}: the allow suppresses nothing"
    fix = Fix("remove it", (Edit(span, ""),), safe=True)
    bag.add("W0902", allow.span, message, fixes=[fix])


def _with_comma(source: Source, span: Span) -> Span:
    """A code in a list of codes, with what parts it from the next."""
    behind = re.compile(r"[\s,]*").match(source.text, span.end)
    return span._replace(end=behind.end() if behind else span.end)


def _whole_comment(source: Source, allow: Allow) -> Span:
    """The comment with the blanks before it, or with its line where it stands alone."""
    start, end = allow.comment.start, allow.comment.end
    while start and source.text[start - 1] in " \t":
        start -= 1
    if allow.alone:
        end += source.text[end : end + 1].count("\n")
    return source.span(start, end)
