"""Programs with their expectations on the line: ``tests/lang/cases/*.md``.

A ``dpipe`` block is a program; a block marked ``dpipe preamble`` stands before every later one of
its file. At a line's end ``# error: COLUMN [CODE] "text"`` (or ``warning``) expects a finding, with
an optional part of its message or help, and ``# row: {…}`` the row after the line's stage. What is
not expected must not be found; in the preamble unused declarations do not count.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import Struct

from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.types import show
from tests.lang.programs import STD, load_std

FOLDER = Path(__file__).parent / "cases"
CHECKS = b"""
import functools

def known(text: str, n: int = 3) -> bool:
    raise RuntimeError("a check runs no Python")

@functools.cache
def wrapped(text): ...

built = functools.partial(known, n=2)
raise RuntimeError("a check imports no Python")
"""
_BLOCK = re.compile(r"^```dpipe([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_EXPECTED = re.compile(r'(error|warning|info): (\d+) \[(\w+)\](?: "((?:[^"\\]|\\.)*)")?')
_ROW = re.compile(r"# row: (\{.*\})\s*$")


class Case(Struct):
    name: str
    preamble: str
    text: str


def _cases() -> list[Case]:
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*.md")):
        page, preamble, count = path.read_text("utf-8"), "dpipe 1\n", 0
        for block in _BLOCK.finditer(page):
            if "preamble" in block[1]:
                preamble = block[2]
                continue
            titles = _HEADING.findall(page, 0, block.start())
            count += 1
            name = f"{path.stem}-{count}: {titles[-1] if titles else ''}"
            own = block[2].startswith("dpipe") or "bare" in block[1]
            found.append(Case(name, "" if own else preamble, block[2]))
    return found


CASES = _cases()


def _compile(case: Case) -> Compiled:
    def load(path: str) -> bytes:
        if path == "case.dpipe":
            return (case.preamble + case.text).encode()
        return CHECKS if path == "checks.py" else load_std(path)

    return compile_program("case.dpipe", load, STD)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case) -> None:
    compiled = _compile(case)
    source = compiled.sources["case.dpipe"]
    first = case.preamble.count("\n")
    expected: set[tuple[int, int, str]] = set()
    texts: dict[tuple[int, int, str], str] = {}
    for number, line in enumerate(case.text.splitlines(), first + 1):
        for severity, column, code, text in _EXPECTED.findall(line.partition("#")[2]):
            key = (number, int(column), f"{severity}[{code}]")
            expected.add(key)
            if text:
                texts[key] = text.replace('\\"', '"')
    found: dict[tuple[int, int, str], str] = {}
    notes = compiled.notes if "# info:" in case.text else ()
    for finding in (*compiled.diagnostics, *notes):
        line, column = source.position(finding.span.start)
        key = (line, column, f"{finding.severity}[{finding.code}]")
        if line > first or not finding.code.startswith("W02"):
            found[key] = f"{finding.message} | {finding.help or ''}"
    assert {key: found[key] for key in sorted(found.keys() - expected)} == {}
    assert sorted(expected - found.keys()) == []
    for key, text in texts.items():
        assert text in found[key]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if "# row:" in case.text],
    ids=[case.name for case in CASES if "# row:" in case.text],
)
def test_rows(case: Case) -> None:
    compiled = _compile(case)
    source = compiled.sources["case.dpipe"]
    rows = {source.position(row.span.start).line: show(row.row) for row in compiled.rows}
    first = case.preamble.count("\n")
    for number, line in enumerate(case.text.splitlines(), first + 1):
        if expected := _ROW.search(line):
            assert rows.get(number) == expected[1], f"line {number - first}: {line}"


def test_every_case_expects_something() -> None:
    assert len(CASES) > 40
    for case in CASES:
        says = "# row:" in case.text or _EXPECTED.search(case.text) or "fine" in case.name
        assert says, case.name
