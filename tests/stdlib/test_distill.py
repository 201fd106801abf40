"""A reasoning model's own reasoning is kept with the answer."""

from __future__ import annotations

import json
from pathlib import Path

import dpipe

PROGRAM = """\
dpipe 1

import std.distill

model thinker = openai("thinker", url: "scripted:answers.jsonl")

source asked: { instruction: str } = rows([{ instruction: "2+2?" }, { instruction: "3+3?" }])

flow answered = asked | distill.answered(writer: thinker)

sink field = answered | jsonl("out/field.jsonl")

sink block = answered
  | alpaca("out/block.jsonl", output: .answer.text, reasoning: .answer.reasoning)
"""

ANSWERS = (
    {"match": "2+2?", "reply": "4", "reasoning": "Two and two."},
    {"match": "3+3?", "reply": "6"},
)


def test_reasoning_is_a_field_or_a_think_block(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, ANSWERS)), "utf-8")
    program = tmp_path / "program.dpipe"
    program.write_text(PROGRAM, "utf-8")
    assert dpipe.run(program, progress="none").status == "done"
    assert [row["answer"] for row in _rows(tmp_path / "out/field.jsonl")] == [
        {"text": "4", "reasoning": "Two and two."},
        {"text": "6", "reasoning": None},
    ]
    assert [row["output"] for row in _rows(tmp_path / "out/block.jsonl")] == [
        "<think>\nTwo and two.\n</think>\n\n4",
        "6",
    ]


def _rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
