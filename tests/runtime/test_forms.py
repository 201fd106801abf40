"""What few programs need: places, identities, who answered, votes by meaning."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.programs import Folder

NUMBERS = """dpipe 1
source rows: { k: "a" | "b", n: int } = jsonl("rows.jsonl")
"""


def folder(root: Path, count: int) -> Folder:
    made = Folder(root)
    made.rows("rows.jsonl", [{"k": "ab"[n % 2], "n": n} for n in range(count)])
    return made


def test_a_limit_passes_over_the_first_rows_of_each_value(tmp_path: Path) -> None:
    project = folder(tmp_path, 10)
    result = project.run(
        NUMBERS + 'sink out = rows | limit(2, per: .k, skip: 1) | jsonl("out/a.jsonl")'
    )
    assert result.status == "done"
    assert [row["n"] for row in project.read("out/a.jsonl")] == [2, 3, 4, 5]
