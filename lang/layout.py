"""The one layout rule: a declaration starts in column 1 with its keyword, and nothing else does.

Here the tokens of a file are cut into declarations, and its first line, the edition, is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.phrases import shown
from dpipe.lang.scan import CLOSERS, OPENERS, Token, Tokens
from dpipe.lang.source import Source
from dpipe.lang.spell import nearest

EDITION = 1
DECLARING = frozenset(
    (
        "DPIPE", "IMPORT", "PARAM", "MODEL", "TYPE", "PROMPT", "SOURCE", "FLOW", "SINK", "PIPE",
        "DEF", "EXTERN", "TEST",
    )
)  # fmt: skip
_WORDS = sorted(kind.lower() for kind in DECLARING)
_FOREIGN = {
    **dict.fromkeys(("let", "const", "var", "val"), "a constant is `param x: int = 3`"),
    **dict.fromkeys(("fn", "func", "function"), "a function is `def f(x: int) -> int = x + 1`"),
    **dict.fromkeys(("class", "struct", "record"), "a record is `type T = { name: str }`"),
    **dict.fromkeys(("from", "use", "include"), "a module is imported by `import std.text`"),
    "enum": 'an enum is `type E = "a" | "b"`',
}
"""What other languages begin a declaration with."""
_JOINING = frozenset(
    ("VBAR", "LBRACE", "ARROW", "EQUAL", "AND", "OR", "IN", "PLUS", "MINUS", "STAR", "SLASH")
)
_EDITION = re.compile("[1-9][0-9]{0,8}")
_NAMES = frozenset(("NAME", "KEY", "STRING"))


def edition(scanned: Tokens, bag: Bag) -> tuple[int | None, bool]:
    """The file's edition, and whether this release reads it. Tells E0001 and E0002."""
    source, tokens = scanned.source, scanned.tokens
    if not tokens or tokens[0].type != "DPIPE":
        if any(_is_late_edition(token, source) for token in tokens):
            return None, True  # told where it stands
        place = source.span(0, 0)
        fix = Fix(f"add `dpipe {EDITION}`", (Edit(place, f"dpipe {EDITION}\n\n"),), safe=True)
        first = source.span(tokens[0].start, tokens[0].end) if tokens else place
        message = f"the first line must be `dpipe {EDITION}`"
        bag.add("E0002", first, message, fixes=(fix,))
        return None, True
    line = _first_line(scanned)
    number = line[1] if len(line) > 1 else None
    if number is None or not _EDITION.fullmatch(number.text):
        wrong = number or line[0]
        span = source.span(wrong.start, wrong.end)
        whole = source.span(line[0].start, wrong.end)
        fix = Fix(f"write `dpipe {EDITION}`", (Edit(whole, f"dpipe {EDITION}"),), safe=True)
        bag.add("E0002", span, f"the first line must be `dpipe {EDITION}`", fixes=(fix,))
        return None, True
    found = int(number.text)
    if found > EDITION:
        span = source.span(number.start, number.end)
        message = f"this file needs dpipe edition {found}; this dpipe reads edition {EDITION}"
        bag.add("E0001", span, message, help="install a newer dpipe")
        return found, False
    for extra in line[2:3]:
        span = source.span(extra.start, extra.end)
        bag.add("E0113", span, f"unexpected {shown(extra)}; expected a new line")
    return found, True


def _is_late_edition(token: Token, source: Source) -> bool:
    return token.type == "DPIPE" and source.position(token.start).column == 1


def declarations(scanned: Tokens, bag: Bag) -> Iterator[list[Token]]:
    """The tokens of each declaration after the edition, which start with its keyword.

    Tells what stands in column 1 and must not. A word that is nearly a keyword is read as it;
    what starts with anything else is told once and left out.
    """
    source = scanned.source
    current: list[Token] = []
    lost = False  # the run before could not be read as a declaration
    for run in _runs(scanned):
        declares = _declares(run, source)
        if not declares and (lost or _goes_on(current, run[0])):
            if current:
                _tell_column(source, run[0], bag)
                current.extend(run)
            continue
        if current:
            yield current
        current = _declaration(run, source, bag)
        lost = not current
    if current:
        yield current


def _runs(scanned: Tokens) -> Iterator[list[Token]]:
    """Stretches of tokens, each from one in column 1 that closes nothing.

    A declaration that is indented where no bracket is open starts one too.
    """
    tokens, source = scanned.tokens, scanned.source
    first = len(_first_line(scanned)) if tokens and tokens[0].type == "DPIPE" else 0
    depth, begin = 0, first
    for index in range(first, len(tokens)):
        kind, start = tokens[index].type, tokens[index].start
        if kind in CLOSERS:
            depth = max(depth - 1, 0)
            continue
        column_one = not start or source.text[start - 1] == "\n"
        if index > begin and (column_one or (not depth and _indented(scanned, begin, index))):
            yield tokens[begin:index]
            depth, begin = 0, index
        depth += kind in OPENERS
    if begin < len(tokens):
        yield tokens[begin:]


def _indented(scanned: Tokens, begin: int, index: int) -> bool:
    """Whether a declaration starts at a token although it is indented."""
    tokens = scanned.tokens
    if tokens[index].type not in DECLARING or index + 1 == len(tokens):
        return False
    if tokens[begin].type == "PIPE" or tokens[index - 1].type in ("EXTERN", "EQUAL", "VBAR"):
        return False
    between = scanned.source.text[tokens[index - 1].end : tokens[index].start]
    following = [token.type for token in tokens[index + 1 : index + 3]]
    named = following[:1] in (["KEY"], ["STRING"]) or following == ["NAME", "EQUAL"]
    return "\n" in between and named


def _goes_on(current: list[Token], token: Token) -> bool:
    """Whether a token in column 1 most likely belongs to the declaration before it."""
    depth = sum((t.type in OPENERS) - (t.type in CLOSERS) for t in current)
    return bool(current) and (depth > 0 or token.type in _JOINING)


def _declares(run: list[Token], source: Source) -> bool:
    """Whether a run means to declare something, be it with a wrong word: `sorce docs = …`."""
    first, *rest = run[:2]
    if first.type in DECLARING or first.type == "METRIC" or _keyword_label(first):
        return True
    if first.type != "NAME" or not rest:
        return False
    same_line = "\n" not in source.text[first.end : rest[0].start]
    return same_line and (rest[0].type in (*_NAMES, "EQUAL") or rest[0].type in DECLARING)


def _keyword_label(token: Token) -> bool:
    """`param : …`: the scanner cannot know that this is no label."""
    return token.type == "KEY" and token.text.upper() in DECLARING


def _declaration(run: list[Token], source: Source, bag: Bag) -> list[Token]:
    """The run as a declaration, after telling what is wrong with its start; empty if all is."""
    first, *rest = run
    span = source.span(first.start, first.end)
    if _keyword_label(first):
        return [Token(first.text.upper(), first.text, first.start, first.end), *rest]
    if first.type == "DPIPE":
        bag.add("E0114", span, "the edition stands once, before everything else")
        return []
    if first.type == "METRIC":
        bag.add("E0114", span, "a metric is declared by `extern metric`")
        return []
    if first.type in DECLARING:
        _check_column(source, first, bag)
        return run
    message = f"expected a declaration, found {shown(first)}"
    if first.type == "NAME" and rest and rest[0].type in DECLARING:
        keyword = rest[0]
        both = f"{keyword.text} {first.text}"
        edit = Edit(source.span(first.start, keyword.end), both)
        help = f"the keyword comes first: `{both}`"
        bag.add("E0114", span, message, help=help, fixes=(Fix(f"write `{both}`", (edit,)),))
        return [keyword, first, *rest[1:]]
    found = nearest(first.text, _WORDS) if first.type in ("NAME", "KEY") else None
    if found is None:
        assigned = bool(rest) and rest[0].type == "EQUAL"
        way_out = f"start it with a keyword, as in `flow {first.text} = …`" if assigned else None
        bag.add("E0114", span, message, help=_FOREIGN.get(first.text, way_out))
        return []
    fix = Fix(f"replace with `{found}`", (Edit(span, found),))
    message += f"; did you mean `{found}`?"
    bag.add("E0114", span, message, fixes=(fix,), suggestions=(found,))
    return [Token(found.upper(), found, first.start, first.end), *rest]


def _check_column(source: Source, token: Token, bag: Bag) -> None:
    column = source.position(token.start).column
    if column > 1:
        span = source.span(token.start, token.end)
        margin = source.span(token.start - column + 1, token.start)
        fix = Fix("remove the indentation", (Edit(margin, ""),), safe=True)
        bag.add("E0115", span, "declarations start in column 1", fixes=(fix,))


def _first_line(scanned: Tokens) -> list[Token]:
    """The tokens of the edition, up to the next one in column 1."""
    text, tokens = scanned.source.text, scanned.tokens
    count = 1
    while count < len(tokens) and text[tokens[count].start - 1] != "\n":
        count += 1
    return tokens[:count]


def _tell_column(source: Source, token: Token, bag: Bag) -> None:
    span = source.span(token.start, token.end)
    start = source.span(token.start, token.start)
    fix = Fix("indent the line", (Edit(start, "  "),), safe=True)
    message = "only declarations start in column 1"
    bag.add("E0115", span, message, help="indent this line", fixes=(fix,))
