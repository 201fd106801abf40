"""The code blocks of the specification, each as a program with what its comments expect.

A block's info string says what it is: ``dpipe`` (a program, declarations, or stages that begin
with ``|``), ``dpipe expressions`` (one a line), ``dpipe run`` (a program with what it writes), or
``json NAME``, ``python NAME``, ``text NAME``: a file. What a fragment needs stands before it in an
HTML comment, ``<!-- given … -->``, which holds for the rest of its section; so does a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dpipe import project
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.scan import Token, scan
from dpipe.lang.source import Source

FILE = "spec.dpipe"
_PIECE = re.compile(
    r"^(?P<section>## )"
    r"|^<!-- given\n(?P<given>.*?)^-->$"
    r"|^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"(?:json|python|text) (\S+)")
_MODULES = {"models.dpipe": b'dpipe 1\nmodel strong = openai("strong", url: "simulated:")\n'}


class Block(NamedTuple):
    """``line`` is where its text starts in the page.

    ``given`` are the declarations before it, ``files`` the files by name.
    """

    info: str
    text: str
    line: int
    given: str
    files: Mapping[str, str]

    def __str__(self) -> str:
        return f"line {self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    given = ""
    files: dict[str, str] = {}
    for piece in _PIECE.finditer(text):
        if piece["section"] is not None:
            given, files = "", {}
        elif piece["given"] is not None:
            given = piece["given"]
        elif file := _FILE.fullmatch(piece["info"]):
            files = {**files, file[1]: piece["text"]}
        else:
            line = text.count("\n", 0, piece.start("text")) + 1
            yield Block(piece["info"], piece["text"], line, given, files)


class Program(NamedTuple):
    """A whole program; the block's own text starts at ``begins``."""

    text: str
    begins: int


def program_of(block: Block) -> Program:
    """The block with its edition and what it is given; stages go on from a flow ``rows``."""
    if block.text.startswith("dpipe "):
        return Program(block.text, 0)
    before = f"dpipe 1\n\n{block.given}\n"
    if block.text.lstrip().startswith("|"):
        before += "flow example = rows\n"
    return Program(before + block.text, len(before))


def compiled(text: str, files: Mapping[str, str] = MappingProxyType({})) -> Compiled:
    """The program beside its files; it may import ``./models.dpipe`` and the bundled modules."""

    def load(path: str) -> bytes:
        if path == FILE:
            return text.encode()
        if path in files:
            return files[path].encode()
        return _MODULES.get(path) or project.load(path)

    return compile_program(FILE, load, project.bundled())


class Expectation(NamedTuple):
    """A comment ``# kind: text``, the line it stands on and the end of the code before it."""

    kind: str
    text: str
    line: int
    behind: int


_EXPECTATION = re.compile(r"#\s*(row|error|warning):\s*(.*)")


def expectations(source: Source) -> Iterator[Expectation]:
    """What the comments expect; one whose brackets are open goes on in the comments below it."""
    scanned = scan(source)
    comments = scanned.comments
    while comments:
        first = comments.pop(0)
        found = _EXPECTATION.fullmatch(first.text)
        if found is None:
            continue
        text = found[2].strip()
        while text.count("{") > text.count("}"):
            text += " " + comments.pop(0).text.lstrip("# ")
        line = source.position(first.start).line
        yield Expectation(found[1], text, line, _end_before(scanned.tokens, first.start))


def _end_before(tokens: list[Token], offset: int) -> int:
    return max((token.end for token in tokens if token.end <= offset), default=0)


_WRITTEN = re.compile(r"#\s+(\S+\.jsonl?)")


def written(text: str) -> dict[str, list[Any]]:
    """The records that comments say a run writes: below a file's name, each on its line."""
    found: dict[str, list[Any]] = {}
    records: list[Any] = []
    for comment in scan(Source("", text)).comments:
        if name := _WRITTEN.fullmatch(comment.text):
            records = found[name[1]] = []
        elif comment.text.startswith("#   {"):
            records.append(json.loads(comment.text.lstrip("# ")))
    return found
