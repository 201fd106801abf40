"""What no sink may write over, told before anything is written or asked."""

from __future__ import annotations

from pathlib import Path

import pytest

import dpipe
from dpipe.runtime.errors import UsageError
from tests.runtime.programs import Folder

HEAD = """dpipe 1

model gen = openai("m", url: "scripted:answers.jsonl")

source docs: { id: int, text: str } = jsonl("in/*.jsonl")

prompt double(text: str) -> str { user: "double {text}" }

flow doubled = docs | ask(double, using: gen, as: .out)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in/a.jsonl", [{"id": at, "text": f"t{at}"} for at in range(2)])
    made.rows("answers.jsonl", [{"match": f"t{at}", "reply": f"T{at}"} for at in range(2)])
    return made


def sinks(*writers: str) -> str:
    """A program whose sinks, named s0, s1, …, are these writers."""
    lines = (f"\nsink s{at} = doubled | {writer}\n" for at, writer in enumerate(writers))
    return HEAD + "".join(lines)


def refused(folder: Folder, text: str, message: str, *, allow_outside: bool = False) -> None:
    before = sorted(folder.root.rglob("*"))
    with pytest.raises(UsageError, match=message) as raised:
        folder.run(text, allow_outside=allow_outside)
    assert raised.value.exit_code == 2
    folder.root.joinpath("main.dpipe").unlink()
    assert sorted(folder.root.rglob("*")) == before


# -- dpipe's own ---------------------------------------------------------------------------------


@pytest.mark.parametrize("allow_outside", [False, True])
@pytest.mark.parametrize(
    ("path", "what"),
    [
        (".dpipe/journal.sqlite", "`.dpipe`"),
        (".DPIPE/x", "`.dpipe`"),
        ("sub/.git/config", "`.git`"),
        (".git", "`.git`"),
        (".{.text}/x.jsonl", "`.dpipe`"),
        ("dpipe.toml", "which holds the project's settings"),
        ("main.dpipe", "which is the program"),
        ("{.text}.dpipe", "which is the program"),
        ("answers.jsonl", "which holds the answers of model `gen`"),
    ],
)
def test_no_sink_writes_over_the_program_or_what_dpipe_keeps(
    folder: Folder, path: str, what: str, allow_outside: bool
) -> None:
    message = f"sink `s0` would write over .*{what}"
    refused(folder, sinks(f'jsonl("{path}")'), message, allow_outside=allow_outside)


EXTERN = """dpipe 1

extern def twice(x: int) -> int = python("of.py:twice")
"""


def test_no_sink_writes_over_python_of_the_program(folder: Folder) -> None:
    folder.write("of.py", "def twice(x): return x * 2\n")
    text = sinks('jsonl("of.py")').replace("dpipe 1\n", EXTERN)
    text = text.replace("doubled = docs", "doubled = docs | set(more: twice(.id))")
    with pytest.raises(UsageError, match=r"would write over `.*/of\.py`, the program's Python"):
        folder.run(text, allow_python=True)


def test_no_sink_writes_over_a_module_of_the_program(folder: Folder) -> None:
    folder.write("lib.dpipe", "dpipe 1\n\ndef up(t: str) -> str = upper(t)\n")
    text = sinks('jsonl("lib.dpipe")').replace("dpipe 1", 'dpipe 1\n\nimport "lib.dpipe" as lib')
    folder.write("p.dpipe", text)
    with pytest.raises(
        UsageError, match=r"would write over `.*/lib\.dpipe`, a file of the program"
    ):
        dpipe.run(folder.root / "p.dpipe")


def test_a_value_that_begins_with_a_dot_is_no_way_into_the_state(folder: Folder) -> None:
    folder.rows("in/a.jsonl", [{"id": 1, "text": ".dpipe"}])
    folder.rows("answers.jsonl", [{"match": "dpipe", "reply": "R"}])
    folder.run(sinks('jsonl("{.text}/journal.sqlite")'))
    assert len(folder.read("%2Edpipe/journal.sqlite")) == 1


# -- each other ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ('jsonl("out/a.jsonl")', 'jsonl("out/a.rejects.jsonl")', "out/a.rejects.jsonl"),
        ('jsonl("out/a.jsonl")', 'jsonl("out/a.jsonl.partial")', "out/a.jsonl.partial"),
        ('jsonl("out/a.jsonl")', 'csv("out/a.rejects.jsonl.partial")', r"out/a.*\.partial"),
        ('jsonl("out/{.text}.jsonl")', 'jsonl("out/s0.rejects.jsonl")', r"out/s0\.rejects"),
        ('jsonl("out/{.text}/a")', 'jsonl("out/{.text}/a.partial")', r"out/{\.text}/a\.partial"),
        ("stdout()", 'jsonl("s0.rejects.jsonl")', "s0.rejects.jsonl"),
        ('jsonl("out/a")', 'jsonl("out/a/b.jsonl")', "out/a"),
        ('jsonl("out/a.x")', 'csv("out/../out/a.x")', "out/a.x"),
        ('jsonl("out/yes.x")', 'csv("out/{.sure}.x")', "out/yes.x"),
    ],
)
def test_no_sink_writes_where_another_or_its_rejects_go(
    folder: Folder, one: str, other: str, both: str
) -> None:
    enum = '| set(sure: if .id == 1 then "yes" else "no") | ask('
    message = f"sinks `s0` and `s1` would both write `.*{both}"
    refused(folder, sinks(one, other).replace("| ask(", enum), message)
    if "s0." not in other:  # which is named after the first
        refused(folder, sinks(other, one).replace("| ask(", enum), message)


def test_sinks_may_stand_side_by_side_and_in_a_datasets_folder(folder: Folder) -> None:
    result = folder.run(
        sinks(
            'jsonl("out/a.jsonl")',
            'csv("out/a.csv")',
            'jsonl("out/{.text}.jsonl")',
            'hf_dataset("out/ds")',
            'jsonl("out/ds/extra.jsonl")',
        )
    )
    assert result.status == "done"
    assert {file.rows for file in result.outputs} == {1, 2}


def test_a_partition_that_comes_out_at_another_sinks_file_ends_the_run(folder: Folder) -> None:
    with pytest.raises(UsageError, match=r"two sinks would both write `.*/out/t1\.jsonl`"):
        folder.run(sinks('jsonl("out/t1.jsonl")', 'jsonl("out/{.text}.jsonl")'))
    assert "out/t1.jsonl" not in folder.files()


# -- what a source would read the next time ------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("in/*.jsonl", "in/new.jsonl"),
        ("in/*.jsonl", "in/new-{.text}.jsonl"),
        ("in/../in/[a-n]*.jsonl", "./in/new.jsonl"),
        ("**/a*.jsonl", "in/deep/a2.jsonl"),
        ("link/*.jsonl", "in/new.jsonl"),
        ("in", "in/deep/new.jsonl"),
    ],
)
def test_no_sink_writes_what_a_source_would_read_the_next_time(
    folder: Folder, source: str, sink: str
) -> None:
    (folder.root / "link").symlink_to("in")
    text = sinks(f'jsonl("{sink}")').replace("in/*.jsonl", source)
    if source.startswith("**"):
        (folder.root / "answers.jsonl").rename(folder.root / "script.jsonl")
        text = text.replace("answers.jsonl", "script.jsonl")
    refused(folder, text, "sink `s0` would write .*, which source `docs` would read the next time")


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("in/*.jsonl", "in/new.json"),
        ("in/*.jsonl", "in/.new.jsonl"),
        ("in/*.jsonl", "in/deep/new.jsonl"),
        ("in/a*.jsonl", "in/new.jsonl"),
        ("in/a.jsonl", "in/new.jsonl"),
        ("in", "in/new.csv"),
        ("in", "in/.deep/new.jsonl"),
    ],
)
def test_a_sink_beside_what_a_source_reads_is_fine_every_time(
    folder: Folder, source: str, sink: str
) -> None:
    text = sinks(f'jsonl("{sink}")').replace("in/*.jsonl", source)
    for _ in range(2):
        assert folder.run(text).outputs[0].rows == 2


# -- folders in the way --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["x.jsonl", "x.jsonl.partial", "x.rejects.jsonl"])
def test_a_folder_in_the_way_of_an_output_is_told_before_any_call(folder: Folder, way: str) -> None:
    (folder.root / "out" / way).mkdir(parents=True)
    message = rf"sink `s0` would write `.*/out/{way}`, which is a folder"
    refused(folder, sinks('jsonl("out/x.jsonl")'), message)


def test_a_folder_in_the_way_of_a_partition_is_told_at_its_first_row(folder: Folder) -> None:
    (folder.root / "out" / "t1.jsonl").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot write `.*/out/t1\.jsonl`: it is a folder"):
        folder.run(sinks('jsonl("out/{.text}.jsonl")'))
    assert folder.files() == ["out/t0.jsonl.partial", "out/t1.jsonl"]
