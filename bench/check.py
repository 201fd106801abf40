"""How long a check takes, from the shell and inside a process: ``python bench/check.py``.

Each figure is the median of fifteen. First runs do not count: they write the bytecode that an
installed copy has, into a folder of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from dpipe import project
from dpipe.lang.compile import Compiled, compile_program

TIMES = 15
HEAD = """\
dpipe 1

model writer = openai("writer", url: "simulated:", concurrency: 16)

model judge = openai("judge", url: "simulated:", concurrency: 16)

type QA = {
  question: str "makes sense without the passage"
  answer: str "one or two sentences"
}

type Grade = {
  reason: str "one sentence"
  score: 1..10 "is every claim supported?"
}
"""
PART = '''
source notes_N = markdown("data/N/*.md")

prompt make_N(passage: str, count: int) -> [QA] {
  user: """
    Write {count} question-answer pairs about this passage.

    <passage>
    {passage}
    </passage>
    """
}

prompt grade_N(passage: str, question: str, answer: str) -> Grade {
  system: "You are a strict grader."
  user: """
    <passage>
    {passage}
    </passage>

    {question} {answer}
    """
}

def overall_N(g: Grade, weight: float = 0.5) -> float = weight * g.score + (1 - weight) * 5

flow pairs_N = notes_N
  | chunk(.text, tokens: 400, as: .passage)
  | ask(make_N(count: 3), using: writer, as: .qa)
  | unnest(.qa)
  | dedup(.question, by: minhash(threshold: 0.8))
  | ask(grade_N, using: judge, as: .grade)
  | set(score: overall_N(.grade), size: len(.answer))
  | where(.score >= 6 and .size > 20)
  | split(train: 0.9, val: 0.1, by: .path, as: .part)

sink set_N = pairs_N
  | alpaca("out/N/{.part}.jsonl", instruction: .question, output: .answer)
'''


def program(lines: int) -> str:
    """A program of so many lines: comments make up what whole parts leave."""
    each = PART.count("\n")
    count = (lines - HEAD.count("\n")) // each
    text = HEAD + "".join(
        PART.replace("_N", f"_{n}").replace("/N/", f"/{n}/") for n in range(count)
    )
    return text + "# …\n" * (lines - text.count("\n"))


def seconds(what: Callable[[], object]) -> float:
    """The median time of a call, the first left out."""
    what()
    found = []
    for _ in range(TIMES):
        start = perf_counter()
        what()
        found.append(perf_counter() - start)
    return median(found)


def command(folder: str, *args: str) -> Callable[[], object]:
    """The command in its own process, whose bytecode is kept in the folder."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
    return lambda: subprocess.run(args, check=True, stdout=subprocess.DEVNULL, env=environ)


def check(text: str, before: Compiled | None = None) -> Compiled:
    def load(path: str) -> bytes:
        return text.encode() if path == "bench.dpipe" else project.load(path)

    return compile_program("bench.dpipe", load, project.bundled(), before)


def in_process(lines: int) -> Callable[[], object]:
    text = program(lines)
    found = check(text).diagnostics
    if found:
        raise SystemExit(f"the program of {lines} lines is not clean: {found[0].message}")
    return lambda: check(text)


def edited(lines: int, old: str, new: str, where: float) -> Callable[[], object]:
    """A check after an edit: the first ``old`` behind that share of the text becomes ``new``."""
    text = program(lines)
    at = text.index(old, int(where * len(text)))
    after, before = text[:at] + new + text[at + len(old) :], check(text)
    return lambda: check(after, before)


def main() -> None:
    dpipe = str(Path(sys.executable).with_name("dpipe"))
    with TemporaryDirectory() as folder:
        file = Path(folder, "bench.dpipe")
        file.write_text(program(60), encoding="utf-8")
        for name, what, goal in (
            ("python -c pass", command(folder, sys.executable, "-c", "pass"), None),
            ("dpipe --version", command(folder, dpipe, "--version"), 80),
            ("dpipe check, 60 lines", command(folder, dpipe, "check", str(file)), 160),
            ("check in process, 60 lines", in_process(60), None),
            ("check in process, 500 lines", in_process(500), None),
            ("check in process, 2,000 lines", in_process(2000), 300),
            ("500 lines, one word in the middle", edited(500, "Write", "Wrote", 0.5), 10),
            ("500 lines, one letter at the top", edited(500, "sense", "senses", 0), 10),
            ("500 lines, a stage being typed", edited(500, "dedup(.question,", "dedup(.", 0.5), 10),
        ):
            wanted = f"   wanted: under {goal} ms" if goal else ""
            print(f"{name:34} {seconds(what) * 1000:7.1f} ms{wanted}", flush=True)


if __name__ == "__main__":
    main()
