"""Every diagnostic code: its name, its severity, and one line that says what it is about."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Code(Struct, frozen=True):
    name: str
    severity: Literal["error", "warning", "info"]
    summary: str


def _error(name: str, summary: str) -> Code:
    return Code(name, "error", summary)


def _warning(name: str, summary: str) -> Code:
    return Code(name, "warning", summary)


def _info(name: str, summary: str) -> Code:
    return Code(name, "info", summary)


CODES: dict[str, Code] = {
    # the file
    "E0001": _error("newer-edition", "the file needs a newer edition of the language"),
    "E0002": _error("missing-edition", "the first line must be `dpipe 1`"),
    "E0003": _error("not-utf8", "the file is not UTF-8 text"),
    "E0004": _error("unreadable-file", "the file cannot be read"),
    # syntax
    "E0100": _error("stray-character", "a character that no token starts with"),
    "E0101": _error("unterminated-string", "a string that does not end"),
    "E0102": _error("single-quotes", "strings use double quotes"),
    "E0103": _error("foreign-operator", "an operator of another language"),
    "E0104": _error("unclosed-bracket", "a bracket that is never closed"),
    "E0105": _error("unexpected-end", "a declaration that ends too early"),
    "E0106": _error("equals-argument", "named arguments use `:`"),
    "E0107": _error("equals-in-expression", "`=` where a comparison is meant"),
    "E0108": _error("stray-colon", "a `:` where none belongs"),
    "E0109": _error("missing-comma", "two things with no `,` between them"),
    "E0110": _error("mismatched-bracket", "a closing bracket of the wrong kind"),
    "E0111": _error("unmatched-bracket", "a closing bracket with no opening one"),
    "E0112": _error("keyword-name", "a keyword used as a name"),
    "E0113": _error("unexpected-token", "something that cannot stand here"),
    "E0114": _error("not-a-declaration", "a line that starts no declaration"),
    "E0115": _error("column-one", "only declarations start in column 1"),
    "E0116": _error("missing-colon", "a key or field without its `:`"),
    "E0117": _error("missing-pipe", "a stage without its `|`"),
    "E0118": _error("bad-dedent", "a line indented less than the closing quotes"),
    "E0119": _error("too-deep", "brackets nested too deep"),
    "E0120": _error("bad-escape", "a backslash that starts no escape"),
    "E0121": _error("chained-comparison", "comparisons do not chain"),
    "E0122": _error("long-string-layout", "the quotes of a long string do not stand alone"),
    "E0123": _error("bad-number", "a number that is none"),
    "E0124": _error("method-call", "a method of another language; functions take their value"),
    "E0125": _error("null-type", "`null` in a type; write `T?`"),
    "E0126": _error("lambda-parameters", "a lambda takes one value"),
    "E0127": _error("bare-if", "an `if` inside an operator without parentheses"),
    "W0407": _warning("near-placeholder", "what is nearly a placeholder is literal text"),
}
