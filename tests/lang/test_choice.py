"""An `if` between prompts on what a pipe was given is decided where the pipe is used."""

from __future__ import annotations

import pytest

from dpipe.lang.compile import compile_program
from tests.lang.programs import STD, load_std

PROGRAM = """\
dpipe 1

model gen = openai("small", url: "simulated:")

source notes = text("notes/*.txt")

prompt plain(text: str) -> str {{
  user: "{{text}}"
}}

prompt other(text: str) -> str {{
  user: "Also: {{text}}"
}}

pipe told(rows: flow[{{ text: str }}], lang: "en" | "zh" = "en") {{
  rows | ask(if {test} then other else plain, using: gen, as: .told)
}}

flow first_flow = notes | told()

flow second_flow = notes | told(lang: "zh")

sink out = concat(first_flow, second_flow) | jsonl("out.jsonl")

test "each needs the answers of the prompt that it asks" {{
  given: {{ notes: [] }}
  answer: {{ {answered}: "x" }}
  expect: len({flow}) == 0
}}
"""


def _codes(test: str, answered: str, flow: str) -> list[str]:
    text = PROGRAM.format(test=test, answered=answered, flow=flow)

    def load(path: str) -> bytes:
        return text.encode() if path == "p.dpipe" else load_std(path)

    return [finding.code for finding in compile_program("p.dpipe", load, STD).diagnostics]


@pytest.mark.parametrize(
    ("answered", "flow", "codes"),
    [
        ("plain", "first_flow", []),
        ("other", "first_flow", ["E0804"]),
        ("other", "second_flow", []),
        ("plain", "second_flow", ["E0804"]),
    ],
)
def test_only_the_prompt_that_is_asked_needs_an_answer(
    answered: str, flow: str, codes: list[str]
) -> None:
    assert _codes('lang == "zh"', answered, flow) == codes


def test_a_choice_that_hangs_on_the_row_may_ask_both() -> None:
    assert _codes("len(.text) > 9", "plain", "first_flow") == ["E0804"]
