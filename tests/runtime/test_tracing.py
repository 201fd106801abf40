"""What is told of rows agrees with what a run counted and wrote, whatever the program's shape."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

import dpipe
from dpipe.explaining import explain, past_of
from dpipe.runtime.record import LedgerRecord, find_project, list_runs, read_ledger
from dpipe.runtime.tracing.explaining import explain_input
from dpipe.runtime.tracing.facts import Fate, Step

HEAD = """dpipe 1

model a = openai("a", url: "simulated:")
model b = openai("b", url: "simulated:", price: { input: 1, output: 2 })
model said = openai("said", url: "scripted:said.jsonl")
model vectors = embedder("v", url: "simulated:")

source docs: { id: int, text: str, tags: [str] } = jsonl("docs.jsonl")
source people: { id: int, name: str } = jsonl("people.jsonl")

prompt grade(text: str) -> { why: str, score: 1..10 } { user: "Grade {text}" }
prompt echo(text: str) -> str { user: "Echo {text}" }
prompt pick(text: str) -> "yes" | "no" { user: "Is {text} good?" }
prompt list_of(text: str) -> [str] { user: "Parts of {text}" }
"""
DOCS: list[dict[str, Any]] = [
    {"id": 1, "text": "The quick brown fox jumps over the lazy dog", "tags": ["x", "y"]},
    {"id": 2, "text": "A river runs through the old town", "tags": []},
    {"id": 3, "text": "the quick brown fox jumps over the lazy dog", "tags": ["y"]},
    {"id": 4, "text": "Mountains are high and valleys are low", "tags": ["x"]},
    {"id": 5, "text": " ", "tags": ["z", "x", "y"]},
    {"id": 6, "text": "A river runs through the old town", "tags": ["x"]},
    {"id": 1, "text": "The quick brown fox jumps over the lazy dog", "tags": ["x", "y"]},
]
PEOPLE = [
    {"id": 1, "name": "Ada"},
    {"id": 4, "name": "Bo"},
    {"id": 1, "name": "Cy"},
    {"id": 9, "name": "Di"},
]
SAID: list[dict[str, Any]] = [
    {"match": "Mountains", "reply": "not JSON", "times": 1},
    {"match": "river", "reply": "I cannot help with that.", "refusal": "no"},
    {"match": "Grade", "reply": {"why": "said", "score": 3}},
    {"match": "good?", "reply": "yes"},
    {"reply": "said"},
]

PROGRAMS = {
    "line": """
flow kept = docs | set(n: len(.text), own: identity()) | where(.n > 1) | drop(.tags)
sink out = kept | ask(grade, using: said, as: .grade) | jsonl("out/a.jsonl")
""",
    "vote": """
sink out = docs
  | ask(pick, using: vote([a, b, said], on: v -> v), as: .pick)
  | ask(pick, using: vote([a, b], n: 2), as: .again)
  | ask(echo, using: vote([a, b, said], by: embedding(vectors, threshold: 0.2), tie: "null"),
    as: .meant, meta: .by)
  | jsonl("out/a.jsonl")
""",
    "panels": """
flow asked = docs
  | ask(grade, using: cascade([said, vote([a, b, a], on: v -> v.score > 5), b],
    accept: v -> v.score > 6), as: .grade)
  | ask(echo, using: fallback([said, a]), as: .echo, on_error: "null", meta: .by)
  | ask(grade, using: poll([a, b, said], on: v -> v.score, min: 2), as: .poll)
  | ask(echo, using: all([a, b]), as: .all, when: len(.tags) > 1)
sink out = asked | jsonl("out/a.jsonl")
""",
    "many": """
flow tags = docs
  | unnest(.tags, as: .tag, index: .i)
  | chunk(.text, sentences: 1, as: .piece, span: .at, headings: .over)
sink out = tags
  | ask(echo(text: "{.tag} {.piece}"), using: a, as: .echo)
  | jsonl("out/a.jsonl")
sink parts = docs
  | ask(list_of, using: a, as: .parts)
  | ask(part -> echo(text: part), over: .parts, using: b, as: .echoes)
  | json("out/parts.json")
""",
    "dedup": """
flow once = docs | dedup(.text, by: exact())
sink out = docs | dedup(.text, by: minhash(threshold: 0.7)) | csv("out/a.csv")
sink near = docs
  | where(.text != " ")
  | dedup(.text, by: embedding(vectors, threshold: 0.99))
  | jsonl("out/near.jsonl")
sink other = once
  | dedup(.text, by: exact(), against: people, on: p -> p.name)
  | jsonl("out/o.jsonl")
""",
    "group": """
flow groups = docs
  | unnest(.tags, as: .tag)
  | group(by: .tag, rows: count(), each: mean(10 / (.id - 4)), texts: collect(.text))
sink out = groups | where(.rows > 1) | sort(.tag) | jsonl("out/a.jsonl")
sink all = groups | group(by: .rows, tags: collect(.tag)) | jsonl("out/all.jsonl")
""",
    "join": """
flow joined = docs | join(people, on: .id) | set(both: "{.name} {.text}")
sink out = joined | jsonl("out/a.jsonl")
sink left = docs | join(people, on: .id, kind: "left") | jsonl("out/left.jsonl")
""",
    "loop": """
pipe better(rows: flow[{ text: str, tags: [str] }]) {
  rows
    | where(len(.tags) != 1)
    | ask(echo, using: a, as: .echo)
    | set(text: .text + "|" + .echo)
    | drop(.echo)
}
sink out = docs | loop(better(), times: 3, until: len(.text) > 120) | jsonl("out/a.jsonl")
sink all = docs | loop(better(), times: 2, keep: "all") | jsonl("out/all.jsonl")
""",
    "failing": """
pipe graded(rows: flow[{ text: str }]) {
  rows | ask(grade, using: said, as: .grade) | drop(.grade)
}
sink all = docs | loop(graded(), times: 2, keep: "all") | jsonl("out/all.jsonl")
flow good = docs | graded()
sink twice = concat(docs, good) | jsonl("out/twice.jsonl")
""",
    "nested": """
pipe inner(rows: flow[{ text: str }]) {
  rows | set(text: .text + "a") | where(len(.text) < 50)
}
pipe outer(rows: flow[{ text: str }]) {
  rows
    | loop(inner(), times: 2, until: len(.text) > 38)
    | dedup(.text, by: exact())
}
sink out = docs
  | loop(outer(), times: 3, until: len(.text) < 3, keep: "all")
  | limit(1, per: .id)
  | jsonl("out/a.jsonl")
""",
    "branches": """
flow long = docs | where(len(.text) > 35)
flow short = docs | where(len(.text) <= 35)
flow both = concat(long, short, long)
sink out = both | shuffle() | jsonl("out/a.jsonl")
sink few = both | limit(2, skip: 1) | jsonl("out/few.jsonl")
sink some = both | sample(3) | sort(.id, desc: true) | parquet("out/some.parquet")
""",
    "limits": """
sink out = docs | where(.id > 1) | limit(2) | jsonl("out/a.jsonl")
sink per = docs | limit(1, per: .text) | json("out/per.json")
sink share = docs | limit(share: 0.5) | xlsx("out/share.xlsx")
sink chosen = docs | where(.text != " ") | select(.text, n: 3, by: k_center(vectors))
  | jsonl("out/chosen.jsonl")
""",
    "found": """
flow found = docs | retrieve(people, query: .text, on: p -> p.name, by: bm25(), top: 1, as: .hits)
sink out = found | decontaminate(.text, against: people, on: p -> p.name) | jsonl("out/a.jsonl")
sink vec = docs | where(.text != " ") | embed(.text, using: vectors, as: .vector)
  | jsonl("out/v.jsonl")
""",
    "formats": """
flow parts = docs
  | split(train: 0.5, test: 0.5, as: .part)
  | set(empty: if .id == 4 then "" else "x")
sink part = parts | jsonl("out/{.part}/{.id}.jsonl")
sink hub = parts | hf_dataset("out/hub", split: "part")
sink alpaca = parts | alpaca(instruction: .text, output: .empty, path: "out/alpaca.json")
sink pairs = parts | dpo(prompt: .text, chosen: "x", rejected: .empty, path: "out/dpo.jsonl")
sink figures = parts | report(rows: count(), ids: collect(.id), path: "out/report.json")
""",
    "python": """
extern pipe mine(rows: flow[{ id: int }]) -> { id: int, twice: int }
  = python("mine.py:pipe")
extern def loud(text: str) -> str = python("mine.py:loud")
extern def kept(text: str) -> str = python("mine.py:kept", record: true)
sink out = docs | set(text: loud(.text)) | keep(.id) | mine() | jsonl("out/a.jsonl")
extern source made(n: int) -> { id: int } = python("mine.py:made")
source numbers = made(3)
sink few = numbers | where(.id != 1) | jsonl("out/made.jsonl")
sink slow = docs
  | dedup(kept(.text), by: exact())
  | where(kept(.text) != " ")
  | limit(4)
  | set(kept: kept("{.id}"))
  | dpo(prompt: .text, chosen: kept(.text), rejected: "a river", path: "out/{.id}.jsonl")
""",
}
MINE = """
async def pipe(rows):
    async for row in rows:
        if row["id"] != 2:
            yield {"id": row["id"], "twice": 2 * row["id"]}

async def made(n):
    for id in range(n):
        yield {"id": id}

def loud(text):
    return text.upper()

def kept(text):
    return text.lower()[:7]
"""


def made(folder: Path, text: str) -> Path:
    """A project with this program, run."""
    for name, rows in (("docs", DOCS), ("people", PEOPLE), ("said", SAID)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines)
    with (folder / "docs.jsonl").open("a") as file:
        file.write('{"id": "no number"}\n')
    (folder / "mine.py").write_text(MINE)
    program = folder / "p.dpipe"
    program.write_text(HEAD + text)
    dpipe.run(program, allow_python=True)
    return program


def all_told(program: Path) -> tuple[Fate, LedgerRecord]:
    """What became of all rows of all sources, and what the run counted."""
    home = find_project(program)
    run = list_runs(home)[-1]
    past = past_of(home, run, {"allow_python": True}, lambda counts: None)
    return trio.run(explain_input, past, lambda place: True, "all"), read_ledger(run.path)


def roots(steps: tuple[Step, ...], ids: tuple[int, ...]) -> set[str]:
    """The places of the sources' rows that rows came of."""
    known = {step.id: step for step in steps}
    found, waiting = set(), list(ids)
    while waiting:
        step = known[waiting.pop()]
        waiting += step.parents
        if not step.parents:
            found.add(step.place)
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_told_agrees_with_the_ledger_and_the_files(name: str, tmp_path: Path) -> None:
    program = made(tmp_path, PROGRAMS[name])
    fate, ledger = all_told(program)
    counted = Counter[tuple[str, str]]()
    for node in ledger.nodes:
        for reason, count in node.reasons.items():
            if reason != "done":
                counted[node.label, reason] += count
    told = Counter(
        (end.stage, f"failed:{end.outcome}" if end.reason == "failed" else end.reason)
        for end in fate.endings
        if end.reason not in ("written", "counted", "python", "looked at")
    )
    assert told == counted
    written = {(end.file, end.record): end for end in fate.endings if end.file}
    assert written
    last = dict(iter(written))
    for (file, record), end in written.items():
        if record not in (1, last[file]):
            continue
        explanation = explain(str(tmp_path / f"{file}:{record}"), allow_python=True)
        row = explanation.steps[-1].id
        assert roots(explanation.steps, (row,)) == roots(fate.steps, (end.row,))


def test_what_failed_behind_a_full_limit_is_told_as_surplus(tmp_path: Path) -> None:
    asked = (
        'sink out = docs | ask(grade, using: said, as: .grade) | limit(1) | jsonl("out/a.jsonl")'
    )
    fate, _ = all_told(made(tmp_path, asked))
    assert Counter(end.reason for end in fate.endings) == {"written": 1, "surplus": 7}
    assert not any("lacks" in note for note in fate.notes)
