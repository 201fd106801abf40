"""The pages of ``tests/lang/cases``: programs with their expectations on the line.

A ``dpipe`` block is a program; a block marked ``dpipe preamble`` stands before every later one of
its file, but for those marked ``dpipe bare``. At a line's end ``# error: COLUMN [CODE] "text"``
(or ``warning``, ``info``) expects a finding, with an optional part of its message or help, and
``# row: {…}`` the row after the line's stage. ``<!-- rules: row.set, row.where -->`` before a block
names the rules of SPEC.md that it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from dpipe.lang.compile import Compiled, compile_program
from tests.lang.programs import STD, load_std

FOLDER = Path(__file__).parent / "cases"
FILE = "case.dpipe"
CHECKS = """
import functools

def known(text: str, n: int = 3) -> bool:
    raise RuntimeError("a check runs no Python")

async def asked(text: str) -> bool: ...

@functools.cache
def wrapped(text): ...

built = functools.partial(known, n=2)

async def lines(path: str, as_: str = "", *, context):
    yield {"path": path}

def eager(path: str):
    yield {"path": path}

async def pairs(given, size: int):
    async for row in given:
        yield row

class Most:
    def __init__(self, floor: int):
        self.found = floor

    def add(self, value: int) -> None: ...

    def result(self) -> int: ...

class Bare:
    def add(self, value): ...

class Late(Bare):
    async def add(self, value): ...

class Odd:
    def add(self): ...

    def result(self): ...

class Writer:
    def __init__(self, out, row, end: str = ""): ...

    def put(self, record): ...

    def close(self): ...

raise RuntimeError("a check imports no Python")
"""
_BLOCK = re.compile(
    r"^(?:<!-- rules: (?P<rules>[^\n]*) -->\n+)?```dpipe(?P<info>[^\n`]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_EXPECTED = re.compile(r'(error|warning|info): (\d+) \[(\w+)\](?: "((?:[^"\\]|\\.)*)")?')
_ROW = re.compile(r"# row: (\{.*\})\s*$")


class Expected(Struct, frozen=True):
    """A finding that a comment expects; ``line`` counts from the program's first."""

    line: int
    column: int
    severity: str
    code: str
    says: str


class Case(Struct, frozen=True):
    """A program; its own text begins behind ``preamble``."""

    name: str
    rules: tuple[str, ...]
    preamble: str
    text: str

    @property
    def program(self) -> str:
        return self.preamble + self.text

    @property
    def files(self) -> Mapping[str, str]:
        """The other files that the program names."""
        return {"checks.py": CHECKS} if '"checks.py:' in self.program else {}

    @property
    def asks_for_notes(self) -> bool:
        return "# info:" in self.text

    def lines(self) -> Iterator[tuple[int, str]]:
        """The case's own lines, with their numbers in the program."""
        return enumerate(self.text.splitlines(), self.preamble.count("\n") + 1)

    def findings(self) -> Iterator[Expected]:
        for number, line in self.lines():
            for severity, column, code, says in _EXPECTED.findall(line.partition("#")[2]):
                yield Expected(number, int(column), severity, code, says.replace('\\"', '"'))

    def rows(self) -> Iterator[tuple[int, str]]:
        """The lines that expect a row, with that row."""
        for number, line in self.lines():
            if found := _ROW.search(line):
                yield number, found[1]


def cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.md")):
        page, preamble, count = path.read_text("utf-8"), "dpipe 1\n", 0
        for block in _BLOCK.finditer(page):
            if "preamble" in block["info"]:
                preamble = block["text"]
                continue
            titles = _HEADING.findall(page, 0, block.start())
            count += 1
            name = f"{path.stem}-{count}: {titles[-1] if titles else ''}"
            own = block["text"].startswith("dpipe") or "bare" in block["info"]
            rules = tuple((block["rules"] or "").replace(",", " ").split())
            yield Case(name, rules, "" if own else preamble, block["text"])


def compile_case(program: str, files: Mapping[str, str]) -> Compiled:
    """The program under the name ``case.dpipe``, beside the files and the bundled modules."""

    def load(path: str) -> bytes:
        text = program if path == FILE else files.get(path)
        return load_std(path) if text is None else text.encode()

    return compile_program(FILE, load, STD)
