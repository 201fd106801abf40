"""What stands between the quotes: escapes, the indentation of long strings, placeholders.

Everything here reads the raw text of one string token, quotes included; offsets count from its
first quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_WORD = r"[^\W\d]\w*"
_PATH = rf"\.?{_WORD}(?:\.{_WORD})*"
_SPACED = rf"\{{(?:\s+{_PATH}\s*|{_PATH}\s+)\}}"
_INDEXED = rf"\{{\.?{_WORD}(?:\.{_WORD})*(?:\[[^\[\]\n]*\](?:\.{_WORD})*)+\}}"
_PART = re.compile(
    rf"\\(?:u\{{(?P<code>[0-9a-fA-F]{{1,6}})\}}|(?P<escape>[\s\S]?))"
    rf"|(?P<near>\{{\{{\s*{_PATH}\s*\}}\}}|{_SPACED}|{_INDEXED})"
    rf"|\{{(?P<path>{_PATH})\}}"
)
_NAME = re.compile(_WORD)
_SHOWN = 40  # characters of a group of braces in a message
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "{": "{"}


class Hole(Struct, frozen=True):
    """A placeholder: each word of its path with the word's offset."""

    path: tuple[tuple[str, int], ...]
    of_row: bool
    start: int
    end: int


class Fault(Struct, frozen=True):
    """Something wrong inside a string; ``replacement`` is the text that would mend the range."""

    code: str
    start: int
    end: int
    message: str
    help: str | None = None
    replacement: str | None = None


def plain(raw: str) -> str:
    """The text of a key, type or description: escapes decoded, braces as they are."""
    if "\\" not in raw:
        return raw[1:-1]
    return _PART.sub(lambda match: _decoded(match) or match.group(), raw[1:-1])


def parts(raw: str) -> Iterator[str | Hole]:
    """Literal text and placeholders in order; text parts are never empty nor neighbours."""
    text: list[str] = []
    for line, at in _lines(raw):
        done = 0
        for match in _PART.finditer(line):
            text.append(line[done : match.start()])
            done = match.end()
            if match["path"] is None:
                text.append(_decoded(match) or match.group())
                continue
            if joined := "".join(text):
                yield joined
            text = []
            yield _hole(match, at)
        text.append(line[done:])
    if joined := "".join(text):
        yield joined


def dedented(raw: str) -> str:
    """The raw text of the value: without quotes and margin, escapes as they are written."""
    return "".join(line for line, _ in _lines(raw))


def near_placeholders(raw: str) -> Iterator[Fault]:
    """``{ b }``, ``{b[0]}`` and ``{{b}}``: literal text that was surely meant otherwise."""
    for line, at in _lines(raw):
        for match in _PART.finditer(line):
            if near := match["near"]:
                yield _near_fault(near, at + match.start())


def is_told(raw: str, at: int) -> bool:
    """Whether the brace there begins a placeholder, or what is nearly one."""
    return _PART.match(raw, at) is not None


def unworked(group: str, at: int) -> Fault:
    """Braces round what should be worked out: no text does that."""
    help = (
        "compute it before, with `| set(x: …)` or in the argument of the prompt; write `\\{` for "
        "the braces"
    )
    return _literal(group, at, help)


def faults(raw: str) -> Iterator[Fault]:
    """Bad escapes, and a long string whose lines do not stand as they must."""
    if raw.startswith('"""'):
        yield from _layout_faults(raw)
    if "\\" not in raw:
        return
    for match in _PART.finditer(raw):
        if match[0].startswith("\\") and _decoded(match) is None:
            yield _escape_fault(match)


def _lines(raw: str) -> Iterator[tuple[str, int]]:
    """Stretches of the raw text that belong to the value, with their offsets.

    A long string loses its first and last line end and the indentation of its closing quotes.
    """
    if not raw.startswith('"""'):
        yield raw[1:-1], 1
        return
    body = raw[3:-3]
    indent = _indentation(body)
    lines = body.split("\n")
    at = 3 + len(lines[0]) + 1
    if lines[0].strip():
        yield lines[0], 3
    last = len(lines) - 1
    for number, line in enumerate(lines[1:], 1):
        if number == last and not line.strip():
            break
        cut = len(indent) if line.startswith(indent) else len(line) - len(line.lstrip(" \t"))
        end = "" if number >= last - 1 else "\n"
        yield line[cut:] + end, at + cut
        at += len(line) + 1


def _indentation(body: str) -> str:
    tail = body.rsplit("\n", 1)[-1]
    return tail if not tail.strip() else ""


def _decoded(match: re.Match[str]) -> str | None:
    """What an escape stands for; None where the match is no valid escape."""
    if code := match["code"]:
        point = int(code, 16)
        return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else None
    return _ESCAPES.get(match["escape"] or "")


def _hole(match: re.Match[str], at: int) -> Hole:
    base = at + match.start("path")
    path = match["path"]
    words = tuple((word.group(), base + word.start()) for word in _NAME.finditer(path))
    return Hole(words, path.startswith("."), at + match.start(), at + match.end())


def _near_fault(near: str, at: int) -> Fault:
    if "[" in near:
        return unworked(near, at)
    path = near.strip("{} \t\n")
    help = f"write `{{{path}}}` for the value, `\\{near}` for the braces"
    return _literal(near, at, help, f"{{{path}}}")


def _literal(group: str, at: int, help: str, replacement: str | None = None) -> Fault:
    shown = group if len(group) <= _SHOWN else f"{group[: _SHOWN - 4].rstrip()} …}}"
    message = f"`{shown}` is literal text here, no placeholder"
    return Fault("W0407", at, at + len(group), message, help, replacement)


def _escape_fault(match: re.Match[str]) -> Fault:
    start, end = match.span()
    code = "E0120"
    if match["code"]:
        return Fault(code, start, end, f"`{match[0]}` is no character of Unicode")
    letter = match["escape"] or ""
    if letter == "u":
        message = "`\\u` needs its code in braces"
        return Fault(code, start, end, message, "write it like `\\u{1F600}`")
    if letter in ("\n", ""):
        message = "a line cannot end in a backslash"
        return Fault(code, start, start + 1, message, "write `\\\\` for a backslash", "\\\\")
    if letter == "}":
        message = "`\\}` is not an escape"
        return Fault(code, start, end, message, "only `{` is escaped; write `}`", "}")
    message = f"`\\{letter}` is not an escape; braces are escaped as `\\{{`"
    help = f"write `\\\\{letter}` for a backslash"
    return Fault(code, start, end, message, help, f"\\\\{letter}")


def _layout_faults(raw: str) -> Iterator[Fault]:
    """At most one: the first line that stands wrong."""
    first, *rest = raw[3:-3].split("\n")
    if first.strip() or not rest:
        message = 'the text of a `"""` string starts on the next line'
        help = 'put `"""` at the end of one line and alone on another, the text between them'
        yield Fault("E0122", 0, 3, message, help)
        return
    if rest[-1].strip():
        message = 'the closing `"""` stands alone on its line'
        yield Fault("E0122", len(raw) - 3, len(raw), message, "put it on a line of its own")
        return
    indent, at = rest[-1], 4 + len(first)
    for line in rest[:-1]:
        if line.strip() and not line.startswith(indent):
            start = at + len(line) - len(line.lstrip(" \t"))
            message = 'this line is indented less than the closing `"""`'
            yield Fault("E0118", start, at + len(line), message, "indent the line further")
            return
        at += len(line) + 1
