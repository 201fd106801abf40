"""The one layout rule: a declaration starts in column 1 with its keyword, and nothing else does.

Here the tokens of a file are cut into declarations, and its first line, the edition, is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.phrases import shown
from dpipe.lang.scan import CLOSERS, Token, Tokens
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
_NAMES = frozenset(("NAME", "KEY", "STRING"))


def edition(scanned: Tokens, bag: Bag) -> tuple[int | None, bool]:
    """The file's edition, and whether this release reads it. Tells E0001 and E0002."""
    source, tokens = scanned.source, scanned.tokens
    if not tokens or tokens[0].type != "DPIPE":
        place = source.span(0, 0)
        fix = Fix(f"add `dpipe {EDITION}`", (Edit(place, f"dpipe {EDITION}\n\n"),), safe=True)
        first = source.span(tokens[0].start, tokens[0].end) if tokens else place
        message = f"the first line must be `dpipe {EDITION}`"
        bag.add("E0002", first, message, fixes=(fix,))
        return None, True
    line = _first_line(scanned)
    number = line[1] if len(line) > 1 else None
    if number is None or number.type != "INT" or int(number.text) < 1:
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


def declarations(scanned: Tokens, bag: Bag) -> Iterator[list[Token]]:
    """The tokens of each declaration after the edition, which start with its keyword.

    Tells what stands in column 1 and must not. A word that is nearly a keyword is read as it.
    """
    current: list[Token] = []
    tokens = scanned.tokens
    first = len(_first_line(scanned)) if tokens and tokens[0].type == "DPIPE" else 0
    text = scanned.source.text
    known = True
    for index in range(first, len(tokens)):
        token = tokens[index]
        start = token.start
        outside = (not start or text[start - 1] == "\n") and token.type not in CLOSERS
        if outside and token.type in DECLARING and token.type != "DPIPE":
            if current:
                yield current
            current, known = [token], True
        elif outside and (not current or _declares(scanned, index)):
            if current:
                yield current
            keyword = _keyword(scanned, index, bag)
            current, known = [keyword] if keyword else [], keyword is not None
        elif outside and known:
            _tell_column(scanned.source, token, bag)
            current.append(token)
        elif known and current:
            current.append(token)
        elif known and not current:
            _keyword(scanned, index, bag)
            known = False
    if current:
        yield current


def _first_line(scanned: Tokens) -> list[Token]:
    """The tokens of the edition's line."""
    source, tokens = scanned.source, scanned.tokens
    line = source.position(tokens[0].start).line
    count = 1
    while count < len(tokens) and source.position(tokens[count].start).line == line:
        count += 1
    return tokens[:count]


def _declares(scanned: Tokens, index: int) -> bool:
    """Whether an unknown word in column 1 means to declare something: `sorce docs = …`."""
    token, *rest = scanned.tokens[index : index + 3]
    if token.type in ("DPIPE", "METRIC"):
        return True
    if token.type != "NAME" or not rest:
        return False
    line_end = scanned.source.text.find("\n", token.end)
    same_line = line_end < 0 or rest[0].start < line_end
    return same_line and rest[0].type in (*_NAMES, "EQUAL")


def _keyword(scanned: Tokens, index: int, bag: Bag) -> Token | None:
    """The keyword that the word at ``index`` is taken for, after telling that it is none."""
    source, token = scanned.source, scanned.tokens[index]
    span = source.span(token.start, token.end)
    if token.type == "DPIPE":
        bag.add("E0114", span, "the edition stands once, before everything else")
        return None
    if token.type == "METRIC":
        bag.add("E0114", span, "a metric is declared by `extern metric`")
        return None
    found = nearest(token.text, _WORDS) if token.type in ("NAME", "KEY") else None
    message = f"expected a declaration, found {shown(token)}"
    if found is None:
        following = scanned.tokens[index + 1 : index + 2]
        assigned = bool(following) and following[0].type == "EQUAL"
        help = f"name things with a keyword, as in `flow {token.text} = …`" if assigned else None
        bag.add("E0114", span, message, help=help)
        return None
    fix = Fix(f"replace with `{found}`", (Edit(span, found),))
    message += f"; did you mean `{found}`?"
    bag.add("E0114", span, message, fixes=(fix,), suggestions=(found,))
    return Token(found.upper(), found, token.start, token.end)


def _tell_column(source: Source, token: Token, bag: Bag) -> None:
    span = source.span(token.start, token.end)
    start = source.span(token.start, token.start)
    fix = Fix("indent the line", (Edit(start, "  "),), safe=True)
    message = "only declarations start in column 1"
    bag.add("E0115", span, message, help="indent this line", fixes=(fix,))
