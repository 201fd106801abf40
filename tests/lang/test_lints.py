"""Lints on whole programs: quiet on good ones, the same however a program is laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpipe.lang.allow import allows_in
from dpipe.lang.codes import CODES
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.diagnostics import Bag
from dpipe.lang.source import Source
from tests.lang.programs import STD, load_std
from tests.lang.test_pages import compiled, page

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted([*(ROOT / "tests/programs").glob("*.dpipe"), *ROOT.glob("examples/*/*.dpipe")])
LINTS = [code for code in CODES if code.startswith("W")]


def program(path: Path) -> Compiled:
    def load(name: str) -> bytes:
        return load_std(name) if name.startswith("<std>") else (path.parent / name).read_bytes()

    return compile_program(path.name, load, STD)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_no_lint_fires_on_a_target_program(path: Path) -> None:
    found = program(path).diagnostics
    assert [(d.code, d.message) for d in found if d.severity == "warning"] == []


@pytest.mark.parametrize("code", LINTS)
def test_comments_and_blank_lines_change_no_lint(code: str) -> None:
    told = page(code).told
    text = told["page.dpipe"].decode().replace("\n\n", "\n\n# more\n\n")
    before, after = compiled(told), compiled({**told, "page.dpipe": text.encode()})
    assert [d.message for d in (*before.diagnostics, *before.notes)] == [
        d.message for d in (*after.diagnostics, *after.notes)
    ]


@pytest.mark.parametrize("code", [code for code in LINTS if not code.startswith("W09")])
def test_every_lint_can_be_allowed_where_it_stands(code: str) -> None:
    told = page(code).told
    found = compiled(told)
    lines = told["page.dpipe"].decode().splitlines()
    at = {
        found.sources[d.span.file].position(d.span.start).line
        for d in (*found.diagnostics, *found.notes)
        if d.code == code
    }
    for line in sorted(at, reverse=True):
        lines.insert(line - 1, f"# dpipe: allow {code} the example shows it")
    allowed = compiled({**told, "page.dpipe": "\n".join(lines).encode()})
    assert [d.code for d in (*allowed.diagnostics, *allowed.notes) if d.code == code] == []
    assert "W0902" not in [d.code for d in allowed.diagnostics]


def test_what_stands_in_a_text_allows_nothing() -> None:
    bag = Bag()
    source = Source("a", 'dpipe 1\nparam a: str = "# dpipe: allow W0203 no"  # dpipe: other\n')
    assert list(allows_in(source, bag)) == []
    assert len(bag) == 0


def test_a_reason_is_what_stands_behind_the_codes() -> None:
    bag = Bag()
    source = Source("a", "dpipe 1\nx  # dpipe: allow w0203, W0201: it is used elsewhere\n")
    found = list(allows_in(source, bag))
    assert [(allow.code, allow.line) for allow in found] == [("W0203", 2), ("W0201", 2)]
    source = Source("a", "dpipe 1\nx  # dpipe: allow W0203 W0201\n")
    assert list(allows_in(source, bag)) == []
    assert [d.message for d in bag] == ["an allow needs a reason"]
