"""The files that ``dpipe init`` writes."""

from __future__ import annotations

PROGRAM = "starter.dpipe"

_PROGRAM = '''\
dpipe 1

# Question-answer pairs from a folder of notes. See what it does: dpipe run starter.dpipe

import std.text

param per_passage: int = 2 "pairs to ask for per passage"

# `simulated:` is a stand-in that needs no network and no key. A real endpoint:
#   model writer = openai("MODEL", url: env("LLM_URL"), key: secret("LLM_KEY"), concurrency: 16)
model writer = openai("simulated", url: "simulated:", concurrency: 16)

type QA = {
  question: str "makes sense without the passage"
  answer: str "one or two complete sentences"
}

source notes = markdown("data/*.md")

prompt make_qa(passage: str, count: int) -> [QA] {
  user: """
    Write {count} question-answer pairs about this passage.

    <passage>
    {passage}
    </passage>
    """
}

flow pairs = notes
  | set(text: text.clean(.text))
  | chunk(.text, tokens: 120, as: .passage)
  | ask(make_qa(count: per_passage), using: writer, as: .qa)
  | unnest(.qa)
  | dedup(.question, by: minhash(threshold: 0.8))
  | split(train: 0.8, val: 0.2, by: .passage, as: .part)

sink dataset = pairs | alpaca("out/{.part}.jsonl", instruction: .question, output: .answer)
'''

_NOTES = """\
# Tides

The sea at a coast rises and falls about twice a day. The Moon pulls more strongly on the side of
the Earth that faces it than on the far side, and that difference, not the pull itself, raises two
bulges of water. As the Earth turns, a coast passes through both.

When Sun and Moon stand in one line, at new and full moon, their effects add up and the range is
large: a spring tide. When they stand at right angles, at the half moons, the range is small: a
neap tide. The Sun's effect is a little less than half of the Moon's.

The shape of the sea floor decides how high the water gets. In the open ocean the range is under a
metre. A bay that narrows like a funnel, and whose own swing takes about as long as the tide, can
raise it to more than fifteen.

Tide tables are made from long records at one place. The record is taken apart into waves whose
periods follow from the motions of Moon and Sun; their heights and delays are measured once and
hold for decades. Weather is not in the tables: a strong wind towards the land can add metres.
"""

SETTINGS = """\
# This folder is a project: what its programs were answered, and each of their runs, is kept in
# .dpipe/ here. An option of `dpipe run` goes before what stands below.

# max_cost = 5.0      # stop a run before it spends more USD
# within = "2h"       # stop it after this time
# max_errors = "5%"   # stop it when more of a stage's rows failed
# canary = 20         # rows of each source that go before the others
"""

FILES = {PROGRAM: _PROGRAM, "data/tides.md": _NOTES}
