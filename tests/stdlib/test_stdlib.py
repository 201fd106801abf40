"""The bundled modules, used: ``NAME.dpipe`` and ``NAME_….dpipe`` here use what ``std.NAME`` has.

Each is a clean program in the one layout, passes its own tests, and runs through with the
simulated model.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import dpipe
from dpipe.lang.compile import Compiled
from dpipe.lang.format import format_text
from dpipe.lang.source import Source
from dpipe.runtime.testing import run_test
from tests.lang.programs import STD, load_std

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.dpipe"))
MODULES = sorted(set(STD))


@pytest.fixture(scope="module", params=NAMES)
def program(request: pytest.FixtureRequest) -> Compiled:
    return dpipe.compile(HERE / f"{request.param}.dpipe")


def test_a_use_of_a_module_checks_without_a_finding(program: Compiled) -> None:
    assert [(d.code, d.message) for d in program.diagnostics] == []


def test_a_use_of_a_module_passes_its_tests(program: Compiled) -> None:
    assert program.graph is not None
    assert program.tests
    results = [run_test(program.graph, test) for test in program.tests]
    failed = [result for result in results if not result.passed]
    assert [(result.title, result.failures, result.rejects) for result in failed] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_use_of_a_module_runs_with_the_simulated_model(name: str, tmp_path: Path) -> None:
    copy = tmp_path / f"{name}.dpipe"
    copy.write_bytes((HERE / f"{name}.dpipe").read_bytes())
    ended = dpipe.run(copy, progress="none")
    assert ended.status == "done"
    assert any(path.stat().st_size for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_use_of_a_module_is_in_the_one_layout(name: str) -> None:
    text = (HERE / f"{name}.dpipe").read_text("utf-8")
    assert format_text(Source(name, text)) == text


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_in_the_one_layout(name: str) -> None:
    text = load_std(f"<std>/{name}.dpipe").decode()
    assert format_text(Source(name, text)) == text
