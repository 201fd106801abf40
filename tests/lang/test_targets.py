"""The target programs: they check cleanly, and the row after each of their stages is held.

``python -m tests.lang.test_targets`` writes the golden files anew; the diff is the review.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.types import Field, show
from tests.lang.programs import STD, load_std

PROGRAMS = Path(__file__).parent.parent / "programs"
GOLDEN = Path(__file__).parent / "golden"
READY = tuple(sorted(path.stem for path in PROGRAMS.glob("*.dpipe")))


def _compile(name: str) -> Compiled:
    def load(path: str) -> bytes:
        return load_std(path) if path.startswith("<std>") else (PROGRAMS / path).read_bytes()

    return compile_program(f"{name}.dpipe", load, STD)


def _rows(compiled: Compiled) -> str:
    lines: list[str] = []
    for at in compiled.rows:
        line, _ = compiled.sources[at.span.file].position(at.span.start)
        lines.append(f"{at.span.file}:{line} {at.flow} | {at.stage}")
        lines.extend(f"    {_field(field)}" for field in at.row.fields)
    return "\n".join(lines) + "\n"


def _field(field: Field) -> str:
    text = f"{field.name}: {show(field.type)}"
    return "\n        ".join(textwrap.wrap(text, 110))


@pytest.mark.parametrize("name", READY)
def test_target_checks_without_a_finding(name: str) -> None:
    assert [(d.code, d.message) for d in _compile(name).diagnostics] == []


@pytest.mark.parametrize("name", READY)
def test_the_row_after_each_stage(name: str) -> None:
    assert _rows(_compile(name)) == (GOLDEN / f"{name}.rows").read_text("utf-8")


if __name__ == "__main__":
    for each in READY:
        (GOLDEN / f"{each}.rows").write_text(_rows(_compile(each)), "utf-8")
