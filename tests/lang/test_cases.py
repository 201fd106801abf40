"""The programs of ``tests/lang/cases/*.md`` have the findings and rows that their lines say.

What is not expected must not be found; in the preamble unused declarations do not count.
"""

from __future__ import annotations

import re

import pytest

from dpipe.lang.types import show
from tests.lang.case_pages import FILE, Case, cases, compile_case

CASES = tuple(cases())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case) -> None:
    compiled = compile_case(case.program, case.files)
    source = compiled.sources[FILE]
    first = case.preamble.count("\n")
    texts = {(e.line, e.column, f"{e.severity}[{e.code}]"): e.says for e in case.findings()}
    found: dict[tuple[int, int, str], str] = {}
    notes = compiled.notes if case.asks_for_notes else ()
    for finding in (*compiled.diagnostics, *notes):
        line, column = source.position(finding.span.start)
        key = (line, column, f"{finding.severity}[{finding.code}]")
        if line > first or not finding.code.startswith("W02"):
            found[key] = f"{finding.message} | {finding.help or ''}"
    assert {key: found[key] for key in sorted(found.keys() - texts.keys())} == {}
    assert sorted(texts.keys() - found.keys()) == []
    for key, text in texts.items():
        assert text in found[key]


WITH_ROWS = [case for case in CASES if any(case.rows())]


@pytest.mark.parametrize("case", WITH_ROWS, ids=[case.name for case in WITH_ROWS])
def test_rows(case: Case) -> None:
    compiled = compile_case(case.program, case.files)
    source = compiled.sources[FILE]
    rows = {source.position(row.span.start).line: show(row.row) for row in compiled.rows}
    assert {line: rows.get(line) for line, _ in case.rows()} == dict(case.rows())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_messages_are_in_the_words_of_programs(case: Case) -> None:
    for finding in compile_case(case.program, case.files).diagnostics:
        for text in (finding.message, finding.help or ""):
            bare = re.sub(r"`[^`]*`|\"[^\"]*\"", "", text)
            assert not FOREIGN.search(bare), text
            assert text.count("`") % 2 == 0, text
            assert not text.endswith("."), text


FOREIGN = re.compile(
    r"\b(?:[LR](?:PAR|SQB|BRACE)|STRING|NAME|KEY|ATTR|VBAR|ERROR|NoneType|None|tuple|dict|object at"
    r"|msgspec|Traceback|Struct|Expr)\b|\$END|<class|__"
)


def test_every_case_expects_something() -> None:
    assert len(CASES) > 40
    for case in CASES:
        assert any(case.rows()) or any(case.findings()) or "fine" in case.name, case.name
