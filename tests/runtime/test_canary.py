"""The first rows go alone, and what fails them stops the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpipe.runtime.record import find_project, list_runs
from dpipe.runtime.run import RunResult
from tests.runtime.programs import Folder
from tests.server import Server, serving

ROWS = 300
HEAD = """dpipe 1

model gen = openai("m", url: "URL", concurrency: 50)

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt first(text: str) -> str { user: "One word about {text}" }

prompt second(text: str) -> str { user: "Two words about {text} TAIL" }

flow asked = docs | ask(first, using: gen, as: .one)

"""
TWO = HEAD + (
    "flow done = asked | ask(second, using: gen, as: .two)\n\n"
    'sink out = done | jsonl("out/all.jsonl")\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"id": at, "text": f"Stone {at}."} for at in range(ROWS)])
    return made


def run(folder: Folder, server: Server, program: str, tail: str = "", **given: Any) -> RunResult:
    return folder.run(program.replace("URL", server.url).replace("TAIL", tail), **given)


def test_a_stage_that_fails_the_first_rows_stops_the_run_before_the_others(folder: Folder) -> None:
    with serving() as server:
        result = run(folder, server, TWO, "[[400]]")
        assert server.stats().total == 40
        assert (result.status, result.exit_code) == ("stopped", 1)
        assert result.rejects == {"out/all.rejects.jsonl.partial": 20}
        assert len(folder.read("out/all.rejects.jsonl.partial")) == 20
        assert result.message is not None
        told = "`done: ask` failed 20 of the first 20 rows, the first ("
        assert result.message.startswith(told)
        assert "asked to fail with 400: mend that" in result.message
        assert run(folder, server, TWO).status == "done"
        assert server.stats().total == 40 + 2 * ROWS - 20


def test_a_canary_that_died_of_its_endpoint_is_asked_again(folder: Folder) -> None:
    with serving() as server:
        assert run(folder, server, TWO, "[[400:20#x]]").status == "stopped"
        assert run(folder, server, TWO, "[[400:20#x]]").status == "done"
        assert server.stats().total == 2 * ROWS + 20


def test_without_a_canary_all_rows_go(folder: Folder) -> None:
    with serving() as server:
        result = run(folder, server, TWO, "[[400]]", canary=0)
        assert (result.status, server.stats().total) == ("rows lost", 2 * ROWS)


def test_a_few_rows_that_fail_stop_nothing_and_the_output_is_the_same(folder: Folder) -> None:
    texts = [f"Stone {at}. {'[[400]]' if at % 2 else ''}" for at in range(ROWS)]
    folder.rows("in.jsonl", [{"id": at, "text": text} for at, text in enumerate(texts)])
    written = []
    with serving() as server:
        for canary in (0, 1, 7, 20, 10_000):
            result = run(folder, server, TWO, canary=canary)
            assert result.status == "rows lost"
            written.append((folder.root / "out/all.jsonl").read_bytes())
    assert len(set(written)) == 1
    assert len(folder.read("out/all.jsonl")) == ROWS // 2


@pytest.mark.parametrize(
    "flow",
    [
        "asked | sort(.text) | ask(second, using: gen, as: .two)",
        "asked | limit(30) | ask(second, using: gen, as: .two)",
        "asked | limit(10)",
        "concat(asked, asked) | where(.id >= 0)",
        "asked | group(by: .one, n: count())",
        "asked | shuffle() | dedup(.one, by: exact())",
    ],
)
def test_a_canary_changes_nothing_whatever_is_behind_it(folder: Folder, flow: str) -> None:
    program = HEAD + f'flow done = {flow}\n\nsink out = done | jsonl("out/all.jsonl")\n'
    written = []
    with serving() as server:
        for canary in (0, 20):
            result = run(folder, server, program, canary=canary)
            assert result.status == "done"
            written.append((folder.root / "out/all.jsonl").read_bytes())
    assert written[0] == written[1]


def test_a_sample_within_or_beyond_the_canary_is_exact(folder: Folder) -> None:
    with serving() as server:
        for sample in (5, 20, 25):
            run(folder, server, TWO, sample=sample)
            assert len(folder.read("out/all.jsonl")) == sample


def test_a_replay_has_nothing_to_save(folder: Folder) -> None:
    with serving() as server:
        assert run(folder, server, TWO, replay=True).status == "rows lost"
        assert server.stats().total == 0


def test_a_source_that_fails_says_why_though_its_rejects_were_held_up(folder: Folder) -> None:
    """A join holds what is no row of its other flow until its own rows are through."""
    folder.rows("known.jsonl", [{"id": at, "name": 7} for at in range(40)])
    program = HEAD + (
        'source known: { id: int, name: str } = jsonl("known.jsonl")\n\n'
        "flow done = asked | join(known, on: .id)\n\n"
        'sink out = done | jsonl("out/all.jsonl")\n'
    )
    with serving() as server:
        result = run(folder, server, program)
    assert (result.status, result.exit_code) == ("stopped", 1)
    assert result.message is not None
    told = "`known` failed 20 of the first 20 rows, the first (known.jsonl:1) with: .name: expected"
    assert result.message.startswith(told)
    assert result.rejects == {"out/all.rejects.jsonl.partial": 20}
    assert len(folder.read("out/all.rejects.jsonl.partial")) == 20
    [recorded] = list_runs(find_project(folder.root / "main.dpipe"))
    assert recorded.result is not None
    assert recorded.result.message == result.message
