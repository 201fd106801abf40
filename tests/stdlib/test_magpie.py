"""Turns begun go to the completions endpoint as they stand, answers are asked for by chat."""

from __future__ import annotations

import json
from pathlib import Path

import dpipe
from tests.server import serving

PROGRAM = """\
dpipe 1

import std.magpie

param url: str

model gen = openai("gen", url: url)

source slots = repeat(3)

sink chats = slots
  | magpie.instructions(writer: gen, template: magpie.granite)
  | magpie.answered(answerer: gen(temperature: 0.0))
  | magpie.dialogues(
      writer: gen,
      answerer: gen(temperature: 0.0),
      template: magpie.granite,
      turns: 2,
    )
  | jsonl("out/chats.jsonl")
"""

USER = "<|start_of_role|>user<|end_of_role|>"
ASSISTANT = "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"


def test_one_endpoint_completes_user_turns_and_answers_them_by_chat(tmp_path: Path) -> None:
    program = tmp_path / "program.dpipe"
    program.write_text(PROGRAM, "utf-8")
    with serving() as server:
        ended = dpipe.run(program, params={"url": server.url}, progress="none")
        stats = server.stats()
    assert ended.status == "done"
    assert stats.paths["/v1/completions"] == 6
    assert stats.prompts[USER] == 3
    lines = (tmp_path / "out/chats.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3
    for row in map(json.loads, lines):
        asked, answered = (turn["content"] for turn in row["history"])
        second = f"{USER}{asked}{ASSISTANT}{answered}<|end_of_text|>\n{USER}"
        assert stats.prompts[second] >= 1
        assert set(row) == {"index", "instruction", "response", "history"}
        assert all(row[name] for name in ("instruction", "response"))
