"""The cases as data hold for the compiler, and every rule of SPEC.md is shown somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpipe import project
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.types import show
from tests.lang.case_pages import cases

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RECORDS = [
    json.loads(line) for line in (HERE / "dpipe-conformance.jsonl").read_text("utf-8").splitlines()
]

# -- the data ------------------------------------------------------------------------------------


def compiled(record: dict[str, Any]) -> Compiled:
    files = {"program.dpipe": record["program"], **record.get("files", {})}

    def load(path: str) -> bytes:
        if path in files:
            return str(files[path]).encode()
        if path.startswith(project.STD):
            return project.load(path)
        raise FileNotFoundError(2, "no such file", path)

    return compile_program("program.dpipe", load, project.bundled())


@pytest.mark.parametrize("record", RECORDS, ids=[record["name"] for record in RECORDS])
def test_a_record_holds(record: dict[str, Any]) -> None:
    result = compiled(record)
    wanted = {
        (finding["severity"], finding["code"], finding["start"], finding["end"])
        for finding in record["findings"]
    }
    severities = {"error", "warning", *(severity for severity, *_ in wanted)}
    found = {
        (finding.severity, finding.code, finding.span.start, finding.span.end)
        for finding in (*result.diagnostics, *result.notes)
        if finding.severity in severities
    }
    assert found == wanted
    for row in record["rows"]:
        assert rows_on(result, row["line"])[-1:] == [row["row"]]


def rows_on(result: Compiled, line: int) -> list[str]:
    source = result.sources["program.dpipe"]
    return [show(at.row) for at in result.rows if source.position(at.span.start).line == line]


def test_lines_and_columns_are_those_of_the_offsets() -> None:
    for record in RECORDS:
        for finding in record["findings"]:
            before = record["program"][: finding["start"]]
            assert before.count("\n") + 1 == finding["line"]
            assert len(before) - (before.rfind("\n") + 1) + 1 == finding["column"]
            assert finding["start"] <= finding["end"] <= len(record["program"])


def test_the_data_is_that_of_the_pages() -> None:
    pages = [(case.name, case.program) for case in cases()]
    assert [(record["name"], record["program"]) for record in RECORDS] == pages, (
        "run scripts/generate"
    )


def test_names_are_unique() -> None:
    assert len({record["name"] for record in RECORDS}) == len(RECORDS)


# -- the rules -----------------------------------------------------------------------------------

SPEC = (ROOT / "SPEC.md").read_text("utf-8")
_PIECE = re.compile(
    r"^```(?P<info>[^\n`]*)\n.*?^```$"
    r"|\[(?P<label>[a-z]+\.[a-z][a-z0-9-]*)\]"
    r"|^(?P<heading>#+) ",
    re.MULTILINE | re.DOTALL,
)


def labels() -> list[str]:
    return [piece["label"] for piece in _PIECE.finditer(SPEC) if piece["label"]]


def run_by_the_specification() -> Iterator[str]:
    """The rules that have a block of their own: what follows the label is one that is run."""
    last = None
    for piece in _PIECE.finditer(SPEC):
        if piece["info"] is None:
            last = piece["label"]
        elif piece["info"].startswith("dpipe") and last is not None:
            yield last


def shown_by_cases() -> set[str]:
    return {rule for record in RECORDS for rule in record["rules"]}


def entries(name: str) -> list[list[str]]:
    """The lines of a file beside this one in words, without comments."""
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def test_cases_name_rules_that_are_there() -> None:
    assert shown_by_cases() - set(labels()) == set()


def test_a_rule_is_shown_or_a_known_gap() -> None:
    shown = {*run_by_the_specification(), *shown_by_cases()}
    shown |= {rule for rule, _ in entries("rules_of_tests.txt")}
    gaps = {rule for [rule] in entries("uncovered_rules.txt")}
    assert [rule for rule in labels() if rule not in shown | gaps] == [], "without any case"
    assert sorted(gaps & shown) == [], "no gaps any more"
    assert sorted(gaps - set(labels())) == [], "no rules"


@pytest.mark.parametrize(("rule", "test"), entries("rules_of_tests.txt"))
def test_a_rule_of_a_test_and_its_test_are_there(rule: str, test: str) -> None:
    file, _, name = test.partition("::")
    assert rule in labels()
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")
