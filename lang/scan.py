"""Text to tokens. It never fails: what is malformed becomes a token with a diagnostic.

A token's type is the name of its terminal in ``grammar.lark`` and depends on nothing but the
text around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from msgspec import Struct

from dpipe.lang import strings
from dpipe.lang.diagnostics import Bag, Edit, Fix
from dpipe.lang.source import Source

_KEYWORDS = (
    "and", "as", "def", "dpipe", "else", "extern", "false", "flow", "if", "import", "in",
    "metric", "model", "not", "null", "or", "param", "pipe", "prompt", "sink", "source", "test",
    "then", "true", "type",
)  # fmt: skip
KEYWORDS = {word: word.upper() for word in _KEYWORDS}
PUNCTUATION = {
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE",
    ",": "COMMA", ":": "COLON", "|": "VBAR", "?": "QMARK", "=": "EQUAL", "->": "ARROW",
    "==": "EQ", "!=": "NE", "<=": "LE", ">=": "GE", "<": "LESSTHAN", ">": "MORETHAN",
    "..": "RANGE", "??": "COALESCE", "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH",
    "%": "PERCENT",
}  # fmt: skip
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}

# What other languages write: the token it is read as, and what to write here.
_FOREIGN = {
    "&&": ("AND", "and"), "||": ("OR", "or"), "!": ("NOT", "not"), "===": ("EQ", "=="),
    "!==": ("NE", "!="), "<>": ("NE", "!="), "|>": ("VBAR", "|"),
    "//": ("SLASH", "/"),
}  # fmt: skip

_WORD = r"[^\W\d]\w*+"
_QUOTED = r'"(?:[^"\\\n]|\\.)*+"'
_BEHIND = r'[\w"\)\]\}]'
_KEYWORD = r"(?:import|param|model|type|prompt|source|flow|sink|pipe|def|extern|test)"
_DECLARES = rf"(?:dpipe|{_KEYWORD})\b[ \t]+[\w\"]"
_TOKEN = re.compile(
    rf"""[ \t\n]*+(?:
    (?P<KEY>(?:{_WORD}|{_QUOTED})(?=[ \t]*+:))
    | (?P<NAME>{_WORD}(?!["']))
    | (?P<ATTR>(?<={_BEHIND})\.(?:{_WORD}|{_QUOTED}))
    | (?P<FIELD>\.(?:{_WORD}|{_QUOTED}))
    | (?P<PUNCT>->|==(?!=)|!=(?!=)|<=|>=|\.\.|\?\?|<(?!>)|=(?![=>])|\|(?![|>])|\*(?!\*)|/(?!/)
        |>|\?(?!\.[^\W\d])|[()\[\]{{}},:+%-])
    | (?P<LONG_STRING>\"\"\"(?:[^\\\n"]++|\\.|"(?!"")|\n(?=[ \t\n]))*+\"\"\")
    | (?P<STRING>(?!\"\"\"){_QUOTED})
    | (?P<FLOAT>\d+(?:_\d+)*(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)(?!\w))
    | (?P<INT>\d+(?:_\d+)*(?!\w|\.(?![.\w])|\.\d))
    | (?P<COMMENT>\#[^\n]*)
    | (?P<END>\Z)
    | (?P<OUTDENTED>\"\"\"(?:[^\\\n"]++|\\.|"(?!"")|\n(?!{_DECLARES}))*+\"\"\")
    | (?P<OPEN_LONG>\"\"\"(?:[^\n]|\n(?=[ \t\n]))*+)
    | (?P<OPEN_STRING>"(?:[^"\\\n]|\\.)*+)
    | (?P<SINGLE>'(?:[^'\\\n]|\\.)*+'|`[^`\n]*+`|[“”„«][^“”„«»\n]*+[“”»])
    | (?P<PREFIX>(?:[fFrRbBuU]|[fFrRbB]{{2}})(?=["']))
    | (?P<WORD>{_WORD})
    | (?P<CHAIN>\?\.{_WORD})
    | (?P<NUMBER>\.?\d[\d_]*(?:\.\d[\d_]*)?(?:\.(?![.\w]))?)
    | (?P<SLASHES>(?:(?<=\n)|(?<=[ ]{{2}}))//[^\n]*)
    | (?P<FOREIGN>===|!==|<>|&&|\|\||\|>|=>|//|\*\*|!)
    | (?P<STRAY>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_CUT = re.compile(rf"(?<!\\)\n(?={_KEYWORD}\b[ \t]+[\w\"])")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*+")
_MOST = 200  # malformed tokens that are told; a stretch with more is no program
_PLAIN = frozenset(("KEY", "ATTR", "FIELD", "FLOAT", "INT"))


class Token(Struct, frozen=True):
    """``type`` names a terminal of the grammar; ``start`` and ``end`` are offsets."""

    type: str
    text: str
    start: int
    end: int


class Tokens(Struct, frozen=True):
    """A scanned text: what the grammar sees, the comments beside it, what was malformed."""

    source: Source
    tokens: list[Token]
    comments: list[Token]
    diagnostics: Bag


def stretches(source: Source) -> Iterator[tuple[int, int]]:
    """The file cut where lines begin a declaration whatever stands before them.

    No token and no declaration reaches over a cut: a string that is not closed ends before such
    a line, unless an escaped line end precedes it. What a stretch is read as hangs on its own
    text alone, except that the first one holds the first token of the file.
    """
    text, start = source.text, 0
    blank = _BLANK.match(text)
    for cut in _CUT.finditer(text, blank.end() if blank else 0):
        yield start, cut.end()
        start = cut.end()
    yield start, len(text)


def scan(source: Source, start: int = 0, end: int | None = None) -> Tokens:
    """The tokens and comments of a file, or of a stretch of it."""
    return _Scan(source).run(start, len(source.text) if end is None else end)


class _Scan:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens: list[Token] = []
        self.comments: list[Token] = []
        self.bag = Bag()
        self.malformed_end = -1
        self.quiet = False

    def run(self, start: int, end: int) -> Tokens:
        add = self.tokens.append
        for match in _TOKEN.finditer(self.source.text, start, end):
            kind = match.lastgroup or "END"
            start, end = match.span(kind)
            text = match[kind]
            if kind == "NAME":
                add(Token(KEYWORDS.get(text, "NAME"), text, start, end))
            elif kind == "PUNCT":
                add(Token(PUNCTUATION[text], text, start, end))
            elif kind in _PLAIN:
                add(Token(kind, text, start, end))
            elif kind in ("STRING", "LONG_STRING"):
                add(Token(kind, text, start, end))
                self.check_string(text, start)
            elif kind == "COMMENT":
                self.comments.append(Token(kind, text, start, end))
            elif kind != "END":
                self.tokens.extend(self.malformed(kind, text, start, end))
        return Tokens(self.source, self.tokens, self.comments, self.bag)

    def check_string(self, text: str, start: int) -> None:
        if ("\\" in text or text.startswith('"""')) and len(self.bag) < _MOST:
            report(self.bag, self.source, start, strings.faults(text))

    def malformed(self, kind: str, text: str, start: int, end: int) -> Iterator[Token]:
        """What a malformed stretch is read as, after telling what is wrong with it.

        Where one follows another without a gap, only the first is told.
        """
        if kind != "WORD":
            self.quiet, self.malformed_end = start == self.malformed_end, end
        match kind:
            case "WORD":
                yield Token(KEYWORDS.get(text, "NAME"), text, start, end)
            case "OUTDENTED":
                self.tell_outdented(text, start)
                yield Token("LONG_STRING", text, start, end)
            case "OPEN_LONG":
                text = text.rstrip()
                self.tell("E0101", start, start + 3, "unterminated string", 'close it with `"""`')
                yield Token("LONG_STRING", f'{text}\n"""', start, start + len(text))
            case "OPEN_STRING":
                yield from self.open_string(text, start)
            case "SINGLE":
                yield self.single_quoted(text, start, end)
            case "PREFIX":
                help = "placeholders work in every string"
                message = f"strings have no prefix `{text}`"
                self.tell("E0102", start, end, message, help, "", safe=False)
            case "CHAIN":
                self.tell_chain(start)
                yield Token("ATTR", text[1:], start + 1, end)
            case "NUMBER":
                yield self.number(text, start, end)
            case "SLASHES":
                message, new = "comments start with `#`", "#"
                self.tell("E0103", start, start + 2, message, None, new)
                self.comments.append(Token("COMMENT", text, start, end))
            case "FOREIGN":
                yield self.foreign(text, start, end)
            case _:
                self.stray(text, start, end)

    def tell(
        self,
        code: str,
        start: int,
        end: int,
        message: str,
        help: str | None = None,
        replacement: str | None = None,
        *,
        safe: bool = True,
    ) -> None:
        if self.quiet or len(self.bag) >= _MOST:
            return
        span = self.source.span(start, end)
        fixes = []
        if replacement is not None:
            title = f"write `{replacement}`" if replacement else "remove it"
            fixes.append(Fix(title, (Edit(span, replacement),), safe))
        self.bag.add(code, span, message, help=help, fixes=fixes)

    def tell_outdented(self, text: str, start: int) -> None:
        at = start + re.search(r"\n(?![ \t\n])", text).end()  # type: ignore[union-attr]
        line = self.source.text[at : self.source.text.find("\n", at)]
        message = "only declarations start in column 1, not the text of a string"
        self.tell("E0115", at, at + max(len(line), 1), message, "indent the whole string")

    def open_string(self, line: str, start: int) -> Iterator[Token]:
        """The line's closing brackets and comma are taken to stand outside the string."""
        text = line.rstrip(" \t,)]}") or line[:1]
        end = start + len(text)
        self.tell("E0101", start, end, "unterminated string", 'close it with `"`')
        yield Token("STRING", text + '"', start, end)
        for at, char in enumerate(line[len(text) :], end):
            if char in PUNCTUATION:
                yield Token(PUNCTUATION[char], char, at, at + 1)

    def single_quoted(self, text: str, start: int, end: int) -> Token:
        inner = text[1:-1].replace("\\'", "'")
        double = '"' + re.sub(r'(?<!\\)"', r"\"", inner) + '"'
        quotes = "double quotes" if text[0] in "'`" else 'straight double quotes, `"`'
        self.tell("E0102", start, end, f"strings use {quotes}", f"write `{double}`", double)
        return Token("STRING", double, start, end)

    def tell_chain(self, start: int) -> None:
        message = "`?.` is not an operator; a path through an optional is optional"
        self.tell("E0103", start, start + 2, message, "write `.`", ".")

    def number(self, text: str, start: int, end: int) -> Token:
        if re.fullmatch(r"\.\d+", text):
            new, message = f"0{text}", "a number starts with a digit"
        elif re.fullmatch(r"\d+\.", text):
            new, message = f"{text}0", "a number ends with a digit"
        else:
            whole = re.compile(r"[\w.]*").match(self.source.text, start)
            shown = whole[0] if whole else text
            self.tell("E0123", start, start + len(shown), f"`{shown}` is not a number")
            return Token("INT", "0", start, end)
        self.tell("E0123", start, end, message, f"write `{new}`", new)
        return Token("FLOAT", new, start, end)

    def foreign(self, text: str, start: int, end: int) -> Token:
        if text == "**":
            help = "write a power as a product, `x * x`"
            self.tell("E0103", start, end, "`**` is not an operator", help)
            return Token("STAR", "*", start, end)
        if text == "=>":
            message = "`=>` is not an operator; a lambda is written `x -> …`"
            self.tell("E0103", start, end, message, None, "->", safe=False)
            return Token("ARROW", "->", start, end)
        kind, new = _FOREIGN[text]
        spaced = new
        if new.isalpha() and self.source.text[end : end + 1].strip():
            spaced += " "
        message = f"`{text}` is not an operator; write `{new}`"
        self.tell("E0103", start, end, message, None, spaced)
        return Token(kind, new, start, end)

    def stray(self, text: str, start: int, end: int) -> None:
        if text == ";":
            self.tell("E0100", start, end, "unexpected character `;`", None, "")
        else:
            self.tell("E0100", start, end, f"unexpected character {_shown(text)}")


def report(bag: Bag, source: Source, start: int, faults: Iterable[strings.Fault]) -> None:
    """Tell what is wrong inside the string that starts at ``start``."""
    for fault in faults:
        span = source.span(start + fault.start, start + fault.end)
        fixes = []
        if fault.replacement is not None:
            fixes.append(Fix(f"write `{fault.replacement}`", (Edit(span, fault.replacement),)))
        bag.add(fault.code, span, fault.message, help=fault.help, fixes=fixes)


def _shown(char: str) -> str:
    if char.isprintable() and not char.isspace():
        return f"`{char}`"
    name = unicodedata.name(char, "").lower()
    return f"U+{ord(char):04X}" + (f" ({name})" if name else "")
