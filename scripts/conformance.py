"""Writes tests/lang/dpipe-conformance.jsonl from the pages of tests/lang/cases.

``python -m scripts.conformance``; with ``--check`` it tells whether the file is current. What the
file holds is said in tests/lang/README.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lang.case_pages import FILE, Case, cases, compile_case

OUT = Path(__file__).parent.parent / "tests/lang/dpipe-conformance.jsonl"


def record(case: Case) -> dict[str, Any]:
    """The case as data: its program as a whole, all findings in it, the rows that it names."""
    made: dict[str, Any] = {"name": case.name, "rules": list(case.rules), "program": case.program}
    if case.files:
        made["files"] = dict(case.files)
    return made | {
        "findings": list(_findings(case)),
        "rows": [{"line": line, "row": row} for line, row in case.rows()],
    }


def _findings(case: Case) -> Iterator[dict[str, Any]]:
    compiled = compile_case(case.program, case.files)
    notes = compiled.notes if case.asks_for_notes else ()
    for finding in sorted((*compiled.diagnostics, *notes), key=lambda d: (d.span, d.code)):
        line, column = compiled.sources[FILE].position(finding.span.start)
        yield {
            "severity": finding.severity,
            "code": finding.code,
            "line": line,
            "column": column,
            "start": finding.span.start,
            "end": finding.span.end,
        }


def text() -> str:
    lines = (json.dumps(record(case), ensure_ascii=False) for case in cases())
    return "".join(f"{line}\n" for line in lines)


def main() -> int:
    made = text()
    if OUT.exists() and OUT.read_text("utf-8") == made:
        return 0
    if "--check" in sys.argv:
        print(f"{OUT.name} is not current; run scripts/generate", file=sys.stderr)
        return 1
    OUT.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
