"""What few programs need: places, identities, who answered, votes by meaning."""

from __future__ import annotations

from pathlib import Path

from dpipe.runtime.models.simulated import tokens_in
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


def test_elements_are_numbered_within_their_row(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"xs": ["p", "q"]}, {"xs": []}, {"xs": ["r"]}])
    project.run(
        """dpipe 1
source rows: { xs: [str] } = jsonl("rows.jsonl")
sink out = rows | unnest(.xs, as: .x, index: .i) | jsonl("out/a.jsonl")
sink same = rows | unnest(.xs, as: .xs, index: .xs_at) | jsonl("out/b.jsonl")
"""
    )
    assert project.read("out/a.jsonl") == [
        {"x": "p", "i": 0},
        {"x": "q", "i": 1},
        {"x": "r", "i": 0},
    ]
    assert [row["xs_at"] for row in project.read("out/b.jsonl")] == [0, 1, 0]


def test_pieces_tell_where_they_are_in_their_text(tmp_path: Path) -> None:
    text = "intro\n# 数据 😀\n## Kinds\nTwo kinds. Or three.\n# End\nfin"
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"text": text}])
    project.run(
        """dpipe 1
source rows: { text: str } = jsonl("rows.jsonl")
sink out = rows
  | chunk(.text, by: "heading", as: .c, index: .i, headings: .h, span: .at)
  | jsonl("out/a.jsonl")
sink small = rows
  | chunk(.text, chars: 12, overlap: 4, as: .c, headings: .h, span: .at)
  | jsonl("out/b.jsonl")
"""
    )
    sections, pieces = project.read("out/a.jsonl"), project.read("out/b.jsonl")
    assert [(row["i"], row["h"]) for row in sections] == [
        (0, []),
        (1, ["数据 😀", "Kinds"]),
        (2, ["End"]),
    ]
    for row in sections + pieces:
        assert text[row["at"]["start"] : row["at"]["end"]] == row["c"]
    assert "i" not in pieces[0]
    assert [row["h"] for row in pieces if "three" in row["c"]] == [["数据 😀", "Kinds"]]


IDENTITIES = """dpipe 1
source rows: { n: int, xs: [str] } = jsonl("rows.jsonl")
def tagged(s: str) -> str = s + identity()
flow named = rows
  | where(.n > 0)
  | set(id: identity(), tag: tagged("t-"))
  | unnest(.xs, as: .x)
sink out = named | keep(.id, .x, .tag, own: identity()) | jsonl("out/a.jsonl")
"""


def test_a_row_keeps_its_identity_wherever_it_stands(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("rows.jsonl", [{"n": 1, "xs": ["p", "q"]}, {"n": 2, "xs": ["r"]}])
    project.run(IDENTITIES)
    first = {row["x"]: row for row in project.read("out/a.jsonl")}
    assert first["p"]["id"] == first["q"]["id"] != first["r"]["id"]
    assert len({row["own"] for row in first.values()} | {first["p"]["id"]}) == 4
    assert all(len(row["own"]) == 16 and row["tag"] == f"t-{row['id']}" for row in first.values())
    moved = [{"n": 0, "xs": []}, {"n": 2, "xs": ["r"]}, {"n": 1, "xs": ["p", "q"]}]
    project.rows("rows.jsonl", moved)
    project.run(IDENTITIES + 'sink other = rows | jsonl("out/b.jsonl")\n')
    assert {row["x"]: row for row in project.read("out/a.jsonl")} == first


SAID = [
    {"match": "first", "reply": "no JSON", "times": 1},
    {"reply": {"ok": True}},
]
META = """dpipe 1
model a = openai("a-large", url: "scripted:said.jsonl", temperature: 0.5, max_tokens: 9)
model b = openai("b-small", url: "simulated:")
source rows: { text: str } = jsonl("rows.jsonl")
prompt check(text: str) -> { ok: bool } { user: "{text}" }
sink out = rows
  | ask(check, using: a(top_p: 0.9), as: .x, meta: .m, when: .text != "none")
  | ask(check, using: vote([b, b], on: v -> v.ok, tie: "null"), as: .y, meta: .n)
  | jsonl("out/a.jsonl")
"""


def test_an_answer_tells_who_gave_it_and_how_the_same_from_the_journal(tmp_path: Path) -> None:
    project = Folder(tmp_path)
    project.rows("said.jsonl", SAID)
    project.rows("rows.jsonl", [{"text": "first"}, {"text": "none"}, {"text": "last"}])
    project.run(META)
    rows = project.read("out/a.jsonl")
    options = {"temperature": 0.5, "max_tokens": 9, "top_p": 0.9}
    assert [row["m"] and row["m"]["attempts"] for row in rows] == [2, None, 1]
    assert rows[2]["m"] == {
        "model": "a",
        "id": "scripted:a-large",
        "options": options,
        "attempts": 1,
        "input_tokens": tokens_in("last\n"),
        "output_tokens": tokens_in('{"ok":true}'),
    }
    assert all((row["n"] or {}).get("model") == (row["y"] and "b") for row in rows)
    before = (tmp_path / "out/a.jsonl").read_bytes()
    (tmp_path / "out/a.jsonl").unlink()
    project.run(META, replay=True)
    assert (tmp_path / "out/a.jsonl").read_bytes() == before
