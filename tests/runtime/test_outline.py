"""The plan of a run, as ``dpipe show plan`` prints it.

``python -m tests.runtime.test_outline`` writes the golden files anew; the diff is the review.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import dpipe
from dpipe.lang import graph
from dpipe.runtime.errors import UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.known import Known
from dpipe.runtime.outline import outline
from dpipe.runtime.stages import STAGES
from dpipe.runtime.stages.context import StageContext

PROGRAMS = Path(__file__).parent.parent / "programs"
GOLDEN = Path(__file__).parent / "plans"
NAMES = tuple(sorted(path.stem for path in PROGRAMS.glob("*.dpipe") if path.stem != "models"))


def compiled(path: Path) -> graph.Graph:
    found = dpipe.compile(path)
    assert found.graph is not None, found.diagnostics
    return found.graph


def plan_of(text: str, folder: Path) -> list[str]:
    file = folder / "main.dpipe"
    file.write_text(f"dpipe 1\n{text}", "utf-8")
    return list(outline(compiled(file)))


def _text(name: str) -> str:
    return "".join(f"{line}\n" for line in outline(compiled(PROGRAMS / f"{name}.dpipe")))


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_of_a_target_program(name: str) -> None:
    assert _text(name) == (GOLDEN / f"{name}.plan").read_text("utf-8")


STEPS = """
source rows: { id: str, text: str } = jsonl("rows.jsonl")
source others: { id: str, text: str } = jsonl("others.jsonl")
source more: { id: str, title: str } = jsonl("more.jsonl")
model vectors = embedder("m", url: "simulated:")
flow done = rows
  | set(a: len(.text)) | where(.a > 0) | keep(.id, .text) | chunk(.text, tokens: 9, as: .part)
  | dedup(.text, by: exact()) | dedup(.text, by: minhash()) | dedup(.text, by: embedding(vectors))
  | dedup(.text, by: exact(), against: others)
  | sort(.text) | sample(5) | shuffle() | split(train: 0.5, test: 0.5, as: .half) | limit(4)
  | join(more, on: .id) | embed(.text, using: vectors, as: .vector)
  | retrieve(others, on: r -> r.text, query: .text, top: 2, by: bm25(), as: .hits)
  | decontaminate(.text, against: others, on: r -> r.text)
  | select(.text, n: 3, by: k_center(vectors))
  | set(words: [.text]) | unnest(.words, as: .word) | drop(.word)
  | group(by: .id, n: count())
sink out = done | jsonl("out.jsonl")
"""


def test_a_step_is_what_the_runtime_makes_a_step_of(tmp_path: Path) -> None:
    (tmp_path / "main.dpipe").write_text(f"dpipe 1\n{STEPS}", "utf-8")
    files = [*(PROGRAMS / f"{name}.dpipe" for name in NAMES), tmp_path / "main.dpipe"]
    programs = [compiled(file) for file in files]
    seen = set()
    for program in programs:
        known = Known(program)
        expressions = Expressions(program.defs, _params(known, program), {})
        context: Any = StageContext("s", expressions, b"", SimpleNamespace())
        for node in program.nodes:
            if isinstance(node, graph.StageNode) and node.stage != "ask":
                part = STAGES[node.stage](node, context)
                assert hasattr(part, "feed") == known.is_step(node), node
                seen.add(node.stage)
    assert seen == STAGES.keys() - {"python"}


def _params(known: Known, program: graph.Graph) -> Mapping[str, Any]:
    return {param.name: known.value(graph.Param(param.name)) for param in program.params}


def test_what_only_a_run_knows_is_written_as_the_program_has_it(tmp_path: Path) -> None:
    text = """
    param size: int
    param name: str = "a"
    model m = openai(env("NAME"), url: env("URL"), key: secret("KEY"), concurrency: size)
    prompt p(text: str) -> str { user: "{text}" }
    source docs = text("{name}/*.txt")
    sink out = docs | ask(p, using: m, as: .a) | jsonl("out/{name}.jsonl")
    """
    lines = plan_of(text.replace("\n    ", "\n"), tmp_path)
    assert lines[1] == 'model m: openai env("NAME"), at env("URL"), concurrency ?'
    assert 'source docs = text(path: "a/*.txt", empty: "reject")' in lines
    assert "sink out = jsonl to out/a.jsonl, rejects to out/a.rejects.jsonl" in lines


def test_a_plan_shows_no_password_of_an_address(tmp_path: Path) -> None:
    text = """
model m = openai("m", url: "https://me:hidden@host.example/v1")
prompt p(text: str) -> str { user: "{text}" }
source docs = text("a.txt")
sink out = docs | ask(p, using: m, as: .a) | jsonl("out.jsonl")
"""
    assert "hidden" not in "\n".join(plan_of(text, tmp_path))


def test_a_plan_loads_no_python_of_the_user(tmp_path: Path) -> None:
    python = "raise SystemExit('it ran')\ndef better(text): ...\ndef rows(): ...\n"
    (tmp_path / "mine.py").write_text(python)
    text = """
extern def better(text: str) -> str = python("mine.py:better")
extern source rows() -> { text: str } = python("mine.py:rows")
param n: str = "x"
source docs = rows()
sink out = docs | set(text: better(.text), n: better(n)) | jsonl("out.jsonl")
"""
    lines = plan_of(text, tmp_path)
    assert "  + out: set" in lines


def test_a_loop_of_which_nobody_knows_how_often_has_no_plan(tmp_path: Path) -> None:
    text = """
param times: int
source docs = text("a.txt")
pipe more(rows: flow[{ text: str }]) { rows | set(text: "{.text}.") }
sink out = docs | loop(more, times: times) | jsonl("out.jsonl")
"""
    with pytest.raises(UsageError, match="param `times` has no default"):
        plan_of(text, tmp_path)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in NAMES:
        (GOLDEN / f"{each}.plan").write_text(_text(each), "utf-8")
