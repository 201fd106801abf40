"""A dataset that stands is not replaced by what little a run made that lost rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.programs import Folder

PROGRAM = """dpipe 1

model gen = openai("m", url: "scripted:answers.jsonl")

source docs: { n: int } = jsonl("in.jsonl")

prompt tell(n: int) -> str { user: "Tell of {n}." }

sink out = docs | ask(tell, using: gen, as: .x) | jsonl("out/all.jsonl")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"n": n} for n in range(10)])
    answers(made, bad=0)
    return made


def answers(folder: Folder, bad: int) -> None:
    """Let the model refuse so many of what it is asked anew."""
    refused = [
        {"match": f"Tell of {n}.", "reply": "", "refusal": "no"} for n in range(10, 10 + bad)
    ]
    folder.rows("answers.jsonl", [*refused, {"match": "", "reply": "fine"}])


def new_rows(folder: Folder, bad: int) -> None:
    folder.rows("in.jsonl", [{"n": n} for n in range(10, 20)])
    answers(folder, bad)


@pytest.mark.parametrize("bad", [10, 6])
def test_it_is_left_where_a_run_lost_most_rows(folder: Folder, bad: int) -> None:
    folder.run(PROGRAM)
    new_rows(folder, bad)
    result = folder.run(PROGRAM, canary=0)
    assert (result.status, result.exit_code, result.outputs) == ("rows lost", 1, ())
    assert result.message is not None
    assert result.message.startswith(
        f"out/all.jsonl was left as it was, with 10 rows: this run lost rows to failures and has"
        f" {10 - bad} for it"
    )
    assert [row["n"] for row in folder.read("out/all.jsonl")] == list(range(10))
    assert len(folder.read("out/all.jsonl.partial")) == 10 - bad
    assert len(folder.read("out/all.rejects.jsonl")) == bad


def test_it_is_left_again_by_the_run_after(folder: Folder) -> None:
    folder.run(PROGRAM)
    new_rows(folder, bad=10)
    for _ in range(2):
        assert folder.run(PROGRAM, canary=0).outputs == ()
    new_rows(folder, bad=0)
    assert folder.run(PROGRAM).outputs[0].rows == 10
    assert folder.files() == ["out/all.jsonl"]


def test_it_is_replaced_where_half_of_its_rows_came_through(folder: Folder) -> None:
    folder.run(PROGRAM)
    new_rows(folder, bad=5)
    result = folder.run(PROGRAM, canary=0)
    assert (result.status, [output.rows for output in result.outputs]) == ("rows lost", [5])


def test_it_is_replaced_by_fewer_rows_where_none_failed(folder: Folder) -> None:
    folder.run(PROGRAM)
    folder.rows("in.jsonl", [{"n": 1}])
    assert folder.run(PROGRAM).outputs[0].rows == 1


def test_a_replay_without_answers_leaves_it(folder: Folder) -> None:
    folder.run(PROGRAM)
    new_rows(folder, bad=0)
    result = folder.run(PROGRAM, replay=True)
    assert (result.status, result.outputs) == ("rows lost", ())
    assert len(folder.read("out/all.jsonl")) == 10


def test_what_no_run_wrote_is_left_only_by_an_empty_output(folder: Folder) -> None:
    folder.rows("out/all.jsonl", [{"mine": n} for n in range(50)])
    new_rows(folder, bad=10)
    result = folder.run(PROGRAM, canary=0)
    assert result.message is not None
    assert "left as it was, with its rows" in result.message
    new_rows(folder, bad=9)
    assert folder.run(PROGRAM, canary=0).outputs[0].rows == 1


def test_the_files_of_a_partition_are_one_output(folder: Folder) -> None:
    program = PROGRAM.replace("out/all.jsonl", "out/{.n}.jsonl")
    folder.run(program)
    new_rows(folder, bad=9)
    assert folder.run(program, canary=0).outputs == ()
    assert [name for name in folder.files() if name.endswith("0.jsonl")] == ["out/0.jsonl"]
    assert "out/19.jsonl.partial" in folder.files()


def test_where_nothing_stands_what_there_is_is_written(folder: Folder) -> None:
    new_rows(folder, bad=9)
    assert folder.run(PROGRAM, canary=0).outputs[0].rows == 1


def test_another_sink_that_lost_nothing_is_replaced(folder: Folder) -> None:
    program = PROGRAM + '\nsink plain = docs | jsonl("out/plain.jsonl")\n'
    folder.run(program)
    new_rows(folder, bad=10)
    result = folder.run(program, canary=0)
    assert [output.sink for output in result.outputs] == ["plain"]
    assert folder.read("out/plain.jsonl")[0] == {"n": 10}


# -- a sample ------------------------------------------------------------------------------------


def test_a_sample_does_not_replace_the_dataset_of_a_whole_run(folder: Folder) -> None:
    folder.run(PROGRAM)
    result = folder.run(PROGRAM, sample=3)
    assert (result.status, result.exit_code, result.outputs) == ("done", 0, ())
    assert result.message == (
        "out/all.jsonl was left as it was, with 10 rows: this run's 3 are a sample, and lie beside"
        " as .partial; remove what stands there to have it replaced"
    )
    assert len(folder.read("out/all.jsonl")) == 10
    assert [row["n"] for row in folder.read("out/all.jsonl.partial")] == [0, 1, 2]


def test_a_sample_replaces_a_sample_and_a_whole_run_either(folder: Folder) -> None:
    for sample in (3, 2, None, 4):
        folder.run(PROGRAM, sample=sample)
    assert len(folder.read("out/all.jsonl")) == 10
    assert len(folder.read("out/all.jsonl.partial")) == 4
    folder.run(PROGRAM)
    assert folder.files() == ["out/all.jsonl"]


def test_what_no_run_on_record_wrote_is_left_by_a_sample(folder: Folder) -> None:
    folder.rows("out/all.jsonl", [{"mine": 1}])
    assert folder.run(PROGRAM, sample=3).outputs == ()
    assert folder.read("out/all.jsonl") == [{"mine": 1}]


def test_a_sample_leaves_the_rejects_of_the_dataset_too(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"n": n} for n in range(8, 14)])
    answers(folder, bad=2)
    folder.run(PROGRAM, canary=0)
    folder.rows("in.jsonl", [{"n": n} for n in (8, 11, 12, 13)])
    result = folder.run(PROGRAM, sample=2)
    assert (result.exit_code, result.rejects) == (1, {"out/all.rejects.jsonl.partial": 1})
    assert len(folder.read("out/all.rejects.jsonl")) == 2
    assert len(folder.read("out/all.rejects.jsonl.partial")) == 1


def test_a_sample_leaves_all_files_of_a_partition(folder: Folder) -> None:
    program = PROGRAM.replace("out/all.jsonl", "out/{.n}.jsonl")
    folder.run(program)
    assert folder.run(program, sample=1).outputs == ()
    assert len(folder.files()) == 11
