"""Whole runs: files, funnel, journal, and what is told before any call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import AnyEvent, Progress, RowRejected, RunEnded, RunStarted, SinkWritten
from dpipe.runtime.run import RunResult
from tests.runtime.programs import Folder
from tests.server import serving

HEAD = """dpipe 1

model gen = openai("m", url: "scripted:answers.jsonl")

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt double(text: str) -> str { user: "double {text}" }

flow doubled = docs | ask(double, using: gen, as: .out)
"""
PLAIN = HEAD + '\nsink out = doubled | jsonl("out/all.jsonl")\n'
PARTED = (
    HEAD
    + """
flow parted = doubled | set(part: if .id < 2 then "low" else "high")

sink out = parted | jsonl("out/{.part}.jsonl")
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"id": at, "text": f"t{at}"} for at in range(4)])
    made.rows("answers.jsonl", [{"match": f"t{at}", "reply": f"T{at}"} for at in range(4)])
    return made


def reasons(result: RunResult) -> dict[str, dict[str, int]]:
    return {node.label: dict(node.reasons) for node in result.nodes}


# -- outputs -------------------------------------------------------------------------------------


def test_a_run_writes_its_rows_in_the_order_of_the_input(folder: Folder) -> None:
    result = folder.run(PLAIN)
    assert [row["out"] for row in folder.read("out/all.jsonl")] == ["T0", "T1", "T2", "T3"]
    assert (result.status, result.exit_code, result.calls) == ("done", 0, 4)
    assert [(file.sink, file.path, file.rows) for file in result.outputs] == [
        ("out", "out/all.jsonl", 4)
    ]
    assert folder.files() == ["out/all.jsonl"]


def test_a_second_run_asks_nothing_and_writes_the_same_bytes(folder: Folder) -> None:
    folder.run(PLAIN)
    first = (folder.root / "out/all.jsonl").read_bytes()
    result = folder.run(PLAIN)
    assert (result.calls, result.recalled) == (0, 4)
    assert (folder.root / "out/all.jsonl").read_bytes() == first


def test_a_replay_needs_no_answer_but_the_journals(folder: Folder) -> None:
    folder.run(PLAIN)
    folder.rows("answers.jsonl", [])
    assert folder.run(PLAIN, replay=True).status == "done"


def test_an_edited_prompt_asks_again_for_its_own_stage_alone(folder: Folder) -> None:
    two = PLAIN.replace("as: .out)", "as: .out) | ask(again, using: gen, as: .more)") + (
        '\nprompt again(id: int) -> str { user: "again t{id}" }\n'
    )
    assert folder.run(two).calls == 8
    assert folder.run(two.replace("again t{id}", "once more t{id}")).calls == 4
    assert folder.run(two.replace("double", "twice").replace("twice {", "double {")).calls == 0


def test_each_value_of_a_partition_has_its_file(folder: Folder) -> None:
    folder.run(PARTED)
    assert folder.files() == ["out/high.jsonl", "out/low.jsonl"]
    assert [row["id"] for row in folder.read("out/low.jsonl")] == [0, 1]


def test_a_partition_that_is_no_longer_written_is_removed(folder: Folder) -> None:
    other = PARTED.replace('"low" else "high"', '"new" else "high"')
    folder.write("out/mine.jsonl", "")
    folder.run(PARTED.replace("set(part: ", "set(part: str(").replace('"high")', '"high"))'))
    folder.run(other.replace("set(part: ", "set(part: str(").replace('"high")', '"high"))'))
    assert folder.files() == ["out/high.jsonl", "out/mine.jsonl", "out/new.jsonl"]


def test_a_report_holds_its_figures(folder: Folder) -> None:
    folder.run(HEAD + '\nsink out = doubled | report("out/r.json", rows: count(), m: mean(.id))\n')
    assert " ".join((folder.root / "out/r.json").read_text().split()) == '{ "rows": 4, "m": 1.5 }'


def test_texts_are_measured_and_compared_through_an_embedder(folder: Folder) -> None:
    program = HEAD + (
        '\nmodel v = embedder("e", url: "simulated:")\n'
        "\nflow unique = docs | dedup(.text, by: embedding(v, threshold: 0.99))\n"
        '\nsink out = unique | report("out/r.json", d: vendi(.text, using: v))\n'
    )
    folder.rows("in.jsonl", [{"id": at, "text": f"alike {at % 2}"} for at in range(6)])
    result = folder.run(program)
    assert reasons(result)["unique: dedup"] == {"duplicate": 4}
    calls = result.calls
    assert calls > 0
    assert folder.run(program).calls == 0


def test_only_the_named_sinks_and_what_they_need_are_run(folder: Folder) -> None:
    program = PLAIN + '\nsink ids = docs | keep(.id) | jsonl("out/ids.jsonl")\n'
    result = folder.run(program, only=("ids",))
    assert (result.calls, folder.files()) == (0, ["out/ids.jsonl"])
    with pytest.raises(UsageError) as raised:
        folder.run(program, only=("idz",))
    assert raised.value.hint == "did you mean `ids`?"


def test_sample_uses_the_first_rows_of_each_source(folder: Folder) -> None:
    assert folder.run(PLAIN, sample=2).calls == 2
    assert [row["id"] for row in folder.read("out/all.jsonl")] == [0, 1]


def test_an_input_without_rows_gives_empty_outputs_and_says_so(folder: Folder) -> None:
    folder.write("in.jsonl", "")
    result = folder.run(PLAIN)
    assert (result.exit_code, folder.read("out/all.jsonl")) == (0, [])
    assert result.message == "the sources gave no rows, so the outputs are empty"


def test_params_are_given_or_have_their_defaults(folder: Folder) -> None:
    program = PLAIN.replace("flow doubled = docs", "flow doubled = docs | limit(most)") + (
        "\nparam most: int = base + 1\nparam base: int = 1\n"
    )
    for given, rows in (({}, 2), ({"most": 3}, 3), ({"base": 0}, 1)):
        folder.run(program, params=given)
        assert len(folder.read("out/all.jsonl")) == rows


# -- failures ------------------------------------------------------------------------------------


def test_rows_lost_to_failures_are_told_and_stand_in_the_rejects(folder: Folder) -> None:
    folder.rows("answers.jsonl", [{"match": "t0", "reply": "T0"}, {"match": "t3", "reply": " "}])
    folder.write("in.jsonl", (folder.root / "in.jsonl").read_text() + "{broken\n")
    result = folder.run(PLAIN)
    assert (result.status, result.exit_code) == ("rows lost", 1)
    assert reasons(result)["doubled: ask"] == {"failed:rejected_request": 2, "failed:empty": 1}
    assert result.rejects == {"out/all.rejects.jsonl": 4}
    rejects = folder.read("out/all.rejects.jsonl")
    assert [(one["stage"], one["outcome"], one["place"]) for one in rejects] == [
        ("doubled: ask", "rejected_request", "in.jsonl:2"),
        ("doubled: ask", "rejected_request", "in.jsonl:3"),
        ("doubled: ask", "empty", "in.jsonl:4"),
        ("docs", "error", "in.jsonl:5"),
    ]
    assert rejects[2]["reply"] == " "
    assert [row["id"] for row in folder.read("out/all.jsonl")] == [0]


def test_a_run_after_lost_rows_asks_for_them_alone_and_clears_the_rejects(folder: Folder) -> None:
    complete = (folder.root / "answers.jsonl").read_text()
    folder.rows("answers.jsonl", [{"match": "t0", "reply": "T0"}])
    folder.run(PLAIN)
    folder.write("answers.jsonl", complete)
    result = folder.run(PLAIN)
    assert (result.calls, result.recalled) == (3, 1)
    assert folder.files() == ["out/all.jsonl"]


def test_a_record_that_its_sink_cannot_take_is_a_reject_of_the_sink(folder: Folder) -> None:
    folder.rows("answers.jsonl", [{"match": "t", "reply": "T"}])
    program = HEAD + (
        '\nsink out = doubled | alpaca("out/a.jsonl", instruction: if .id == 1 then "" else .text,'
        " output: .out)\n"
    )
    result = folder.run(program)
    assert reasons(result)["out"] == {"failed:error": 1}
    [reject] = folder.read("out/a.rejects.jsonl")
    assert (reject["stage"], reject["place"]) == ("out", "in.jsonl:2")


def test_a_run_that_was_interrupted_leaves_partial_files_and_goes_on_later(folder: Folder) -> None:
    folder.rows("in.jsonl", [{"id": at, "text": f"t{at}"} for at in range(40)])
    slow = PLAIN.replace('"scripted:answers.jsonl"', "URL, concurrency: 2")

    def interrupt(event: AnyEvent) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt

    with serving(latency=0.05) as server:
        program = slow.replace("URL", f'"{server.url}"')
        result = folder.run(program, observers=[interrupt])
        assert (result.status, result.exit_code) == ("interrupted", 130)
        assert folder.files() == ["out/all.jsonl.partial"]
        before = result.calls
        assert 0 < before < 40
        result = folder.run(program)
        assert (result.status, result.calls + result.recalled) == ("done", 40)
        assert result.recalled >= before - 2
        assert max(server.stats().prompts.values()) <= 2


# -- told before any call ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"in.jsonl"', '"no.jsonl"', "source `docs`: there is no file `no.jsonl`"),
        ('"in.jsonl"', '"no/*.jsonl"', "source `docs`: `no/\\*.jsonl` matches no file"),
        ('"in.jsonl"', '"/etc/hostname"', "outside the project"),
        ('"scripted:answers.jsonl"', 'env("NO_URL")', "NO_URL"),
        ('"scripted:answers.jsonl"', '"http://x/v1", key: secret("NO_KEY")', "NO_KEY"),
        ('"out/all.jsonl"', '"in.jsonl"', "sink `out` would write over .*`docs` reads"),
        ('"out/all.jsonl"', '"./sub/../in.jsonl"', "sink `out` would write over"),
        ('"out/all.jsonl"', '"../all.jsonl"', "outside the project"),
        ('"out/all.jsonl"', r'"a\u{0}b.jsonl"', r"sink `out` would write .*no path"),
        ('"in.jsonl"', r'"a\u{0}b.jsonl"', r"source `docs`: 'a\\x00b.jsonl' is no path"),
        ('"in.jsonl"', f'"{"a" * 300}.jsonl"', "source `docs`: there is no file"),
        ("dpipe 1", "dpipe 1\n\nparam size: int", "param `size` is not set"),
        ("flow doubled", 'source more: {} = jsonl("gone.jsonl")\n\nflow doubled', None),
    ],
)
def test_what_is_missing_or_in_the_way_is_told_in_one_line_before_any_call(
    folder: Folder, old: str, new: str, message: str | None
) -> None:
    program = PLAIN.replace(old, new)
    if message is None:  # what no sink needs is not looked at
        assert folder.run(program).exit_code == 0
        return
    with pytest.raises(UsageError, match=message) as raised:
        folder.run(program)
    assert raised.value.exit_code == 2
    assert not (folder.root / "out").exists()
    assert not list(folder.root.glob(".dpipe/runs/*"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "many"}, "param `size`: expected int"),
        ({"size": "3"}, 'param `size`: expected int, found "3"'),
        ({"size": 1.5}, "param `size`: expected int"),
        ({"sise": 1}, "no param `sise`"),
    ],
)
def test_an_ill_typed_or_unknown_param_is_told(
    folder: Folder, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        folder.run(PLAIN.replace("dpipe 1", "dpipe 1\n\nparam size: int = 1"), params=given)
    assert raised.value.code == "P0009"


def test_a_program_without_sinks_is_not_run(folder: Folder) -> None:
    with pytest.raises(UsageError, match="the program has no sink"):
        folder.run(HEAD)
    assert not list(folder.root.glob(".dpipe"))


def test_two_sinks_that_come_out_at_one_path_are_refused(folder: Folder) -> None:
    program = PLAIN + (
        '\nparam where: str = "out"\n\nsink two = docs | jsonl("{where}/all.jsonl")\n'
    )
    with pytest.raises(UsageError, match="sinks `out` and `two` would both write"):
        folder.run(program)


def test_a_partitioned_sink_over_its_source_is_refused(folder: Folder) -> None:
    with pytest.raises(UsageError, match="would write over"):
        folder.run(PARTED.replace("out/{.part}", "{.text}"))
    assert folder.run(PARTED.replace("out/{.part}", "{.part}")).status == "done"  # low or high


def test_sinks_outside_the_project_may_be_allowed(folder: Folder, tmp_path: Path) -> None:
    inner = Folder(tmp_path / "inner")
    for name in ("in.jsonl", "answers.jsonl"):
        inner.write(name, (folder.root / name).read_text())
    result = inner.run(PLAIN.replace("out/all", "../beside"), allow_outside=True)
    assert [file.path for file in result.outputs] == ["../beside.jsonl"]


LINKED = HEAD + '\nsink out = docs | jsonl("out/{.text}/x.jsonl")\n'


def test_a_link_in_a_partitions_path_leads_nowhere_outside(folder: Folder, tmp_path: Path) -> None:
    inner, elsewhere = Folder(tmp_path / "inner"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    inner.rows("in.jsonl", [{"id": 1, "text": "a"}, {"id": 2, "text": "q"}])
    (inner.root / "out").mkdir()
    (inner.root / "out" / "q").symlink_to(elsewhere)
    with pytest.raises(UsageError, match=r"cannot write `.*/out/q/x\.jsonl`: a link in it leads"):
        inner.run(LINKED)
    assert not list(elsewhere.iterdir())
    assert inner.run(LINKED, allow_outside=True).status == "done"
    assert [file.name for file in elsewhere.iterdir()] == ["x.jsonl"]


def test_a_link_in_a_dataset_folder_leads_nowhere_outside(folder: Folder, tmp_path: Path) -> None:
    inner, elsewhere = Folder(tmp_path / "inner"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    inner.rows("in.jsonl", [{"id": 1, "text": "a"}])
    (inner.root / "out" / "ds").mkdir(parents=True)
    (inner.root / "out" / "ds" / "data").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="a link in it leads outside"):
        inner.run(HEAD + '\nsink out = docs | hf_dataset("out/ds")\n')
    assert not list(elsewhere.iterdir())


def test_a_wrong_key_stops_the_run_at_the_first_reply(folder: Folder) -> None:
    with serving(key="right") as server:
        program = PLAIN.replace(
            '"scripted:answers.jsonl"', f'"{server.url}", key: secret("KEY"), concurrency: 1'
        )
        with pytest.raises(UsageError, match="refused the key in `KEY`"):
            folder.run(program, environ={"KEY": "wrong"})
        assert server.stats().total == 1
    assert folder.files() == ["out/all.jsonl.partial"]


def test_a_second_run_onto_the_same_outputs_is_refused(folder: Folder) -> None:
    messages: list[str] = []

    def run_again(event: AnyEvent) -> None:
        if isinstance(event, SinkWritten):
            from threading import Thread

            thread = Thread(target=second)
            thread.start()
            thread.join()

    def second() -> None:
        try:
            folder.run(PLAIN)
        except UsageError as error:
            messages.append(error.message)

    folder.run(PLAIN, observers=[run_again])
    [message] = messages
    assert message.startswith("another run writes")


# -- events --------------------------------------------------------------------------------------


def test_who_listens_hears_of_start_rejects_files_and_end(folder: Folder) -> None:
    folder.rows("answers.jsonl", [{"match": "t0", "reply": "T0"}])
    heard: list[AnyEvent] = []
    result = folder.run(PLAIN, observers=[heard.append])
    kinds = [type(event) for event in heard if not isinstance(event, Progress)]
    assert kinds[0] is RunStarted
    assert kinds.count(RowRejected) == 3
    assert kinds[-2:] == [SinkWritten, RunEnded]
    end = heard[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.nodes) == ("rows lost", result.nodes)
    for node in result.nodes:
        assert node.entered == node.passed + sum(node.reasons.values())


def test_no_file_of_a_run_holds_the_key(folder: Folder) -> None:
    with serving(key="sk-very-secret") as server:
        program = PLAIN.replace('"scripted:answers.jsonl"', f'"{server.url}", key: secret("KEY")')
        folder.run(program, environ={"KEY": "sk-very-secret"})
    for file in folder.root.rglob("*"):
        assert not file.is_file() or b"sk-very-secret" not in file.read_bytes()


def test_a_source_none_of_whose_records_fits_is_told_with_the_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.rows("in.jsonl", [{"n": "a"}, {"n": "b"}])
    text = """dpipe 1
source xs: { n: int } = jsonl("in.jsonl")
sink out = xs | jsonl("out.jsonl")
"""
    result = folder.run(text)
    assert (result.exit_code, result.message) == (
        1,
        "none of the 2 records of `xs` could be taken, the first (in.jsonl:1) with:"
        ' .n: expected int, found "a"',
    )


def test_a_record_that_cannot_be_read_is_kept_as_it_stands(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("in.jsonl", '{"n": 1}\n{"n": 2,}\n[3]\n')
    folder.write("in.csv", "n,m\n1,2\n3\n")
    folder.run("""dpipe 1
source xs: { n: int } = jsonl("in.jsonl")
source ys: { n: int } = csv("in.csv")
sink out = xs | jsonl("out.jsonl")
sink more = ys | jsonl("more.jsonl")
""")
    assert [each["row"] for each in folder.read("out.rejects.jsonl")] == [
        {"line": '{"n": 2,}'},
        {"line": "[3]"},
    ]
    assert [each["row"] for each in folder.read("more.rejects.jsonl")] == [{"cells": ["3"]}]


def test_a_script_whose_name_is_no_path_is_told(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(UsageError, match=r"the script .*a\\x00b' is no path"):
        folder.run("""dpipe 1
model m = openai("m", url: "scripted:a\\u{0}b")
prompt p(n: int) -> str { user: "{n}" }
source xs: { n: int } = rows([{ n: 1 }])
sink out = xs | ask(p(n: .n), using: m, as: .x) | jsonl("out.jsonl")
""")
