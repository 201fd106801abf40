"""The target programs, tested: ``tests/programs/NAME.test`` holds the tests of ``NAME.dpipe``.

The programs stay as they are: the tests are put behind their text as they are compiled.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.format import format_text
from dpipe.lang.source import Source
from dpipe.project import bundled, load
from dpipe.runtime.testing import run_test

PROGRAMS = Path(__file__).parent.parent / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.test"))


def text_of(name: str) -> bytes:
    return b"\n".join((PROGRAMS / f"{name}.{end}").read_bytes() for end in ("dpipe", "test"))


def compiled(name: str) -> Compiled:
    program = str(PROGRAMS / f"{name}.dpipe")
    return compile_program(program, lambda p: text_of(name) if p == program else load(p), bundled())


@pytest.mark.parametrize("name", NAMES)
def test_a_target_program_passes_its_tests(name: str) -> None:
    program = compiled(name)
    assert [(d.code, d.message) for d in program.diagnostics] == []
    assert program.graph is not None
    assert program.tests
    results = [run_test(program.graph, test) for test in program.tests]
    failed = [result for result in results if not result.passed]
    assert [(result.title, result.failures, result.rejects) for result in failed] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_tests_are_formatted(name: str) -> None:
    text = text_of(name).decode()
    assert format_text(Source(name, text)) == text


def test_every_target_program_has_tests() -> None:
    programs = {path.stem for path in PROGRAMS.glob("*.dpipe")} - {"models"}
    assert programs == set(NAMES)
