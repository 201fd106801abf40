"""``dpipe explain out/a.jsonl:3`` and ``--missing in.jsonl:3``, on real runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.cli_driver import Dpipe
from tests.server import Server, serving

SCHEMA = Path(__file__).parent.parent.parent / "docs/schemas/explain.schema.json"

ASKS = """dpipe 1

model gen = openai("m", url: "URL", key: secret("GEN_KEY"), price: { input: 1, output: 1 })

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt rate(text: str) -> { why: str, score: 1..10 } {
  system: "You rate texts."
  user: "Rate: {text}"
}

flow rated = docs | where(.id > 1) | ask(rate, using: gen, as: .rated)

sink out = rated | jsonl("out/a.jsonl")
"""
TEXTS = ("left out", "plain", "odd [[malformed:1#ID]]", "bad [[refused]]", "never [[malformed]]")

SIMPLE = """dpipe 1

param least: int = 2
source docs: { id: int, text: str } = jsonl("in.jsonl")
flow kept = docs | where(.id >= least) | set(long: "{.text} {.text}")
sink out = kept | jsonl("out/a.jsonl")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def asked(dpipe: Dpipe, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run with every kind of answer."""
    monkeypatch.setenv("GEN_KEY", "sk-not-to-be-seen")
    texts = (text.replace("ID", tmp_path.name) for text in TEXTS)
    rows("in.jsonl", [{"id": n, "text": text} for n, text in enumerate(texts, 1)])
    program(ASKS.replace("URL", server.url))
    assert dpipe("run", "p.dpipe", "--canary", "0").code == 1
    monkeypatch.delenv("GEN_KEY")


@pytest.fixture
def simple(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": f"text {n}"} for n in range(1, 6)])
    program(SIMPLE)
    assert dpipe("run", "p.dpipe").code == 0


def program(text: str) -> None:
    Path("p.dpipe").write_text(text)


def rows(name: str, records: Sequence[Any]) -> None:
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records))


def as_json(dpipe: Dpipe, *args: str) -> Any:
    """What is told, for other programs; it holds what the schema says."""
    done = dpipe("explain", *args, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    jsonschema.validate(told, json.loads(SCHEMA.read_text("utf-8")))
    return told


# -- a record that is there ------------------------------------------------------------------------


@pytest.mark.usefixtures("asked")
def test_a_record_is_told_from_its_source_through_every_stage(dpipe: Dpipe) -> None:
    done = dpipe("explain", "out/a.jsonl:1")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"● docs  in\.jsonl:2 +p\.dpipe:5", done.out.splitlines()[3])
    order = ("docs", "rated: where", "rated: ask", "You rate texts.", "Rate: plain", "■ out")
    assert sorted(map(done.out.index, order)) == list(map(done.out.index, order))
    assert re.search(r"asked in this run, .+ tokens in, \d+ out, \$", done.out)


@pytest.mark.usefixtures("asked")
def test_an_answer_that_was_asked_for_again_is_told_with_both_replies(dpipe: Dpipe) -> None:
    told = as_json(dpipe, "out/a.jsonl:2")
    first, second = told["steps"][-1]["questions"][0]["answer"]["attempts"]
    assert (first["outcome"], second["outcome"]) == ("malformed", "ok")
    assert first["added"] == []
    assert second["added"][0] == {"role": "assistant", "content": first["reply"]}
    assert second["added"][1]["content"].startswith("That answer cannot be used")
    assert json.loads(second["reply"]) == told["written"]["rated"]
    done = dpipe("explain", "out/a.jsonl:2")
    assert "asked again, with" in done.out
    assert "malformed: " in done.out


@pytest.mark.usefixtures("asked")
def test_a_reject_is_told_with_what_the_model_said(dpipe: Dpipe) -> None:
    told = as_json(dpipe, "out/a.rejects.jsonl:1")
    assert told["ending"]["stage"] == "rated: ask"
    assert told["ending"]["outcome"] == told["written"]["outcome"] == "refused"
    assert told["ending"]["reply"] == told["written"]["reply"]
    assert told["steps"][0]["place"] == "in.jsonl:4"
    done = dpipe("explain", "out/a.rejects.jsonl:2")
    assert "✗ rated: ask  malformed" in done.out
    assert done.out.count("asked again, with") == 2


def test_an_answer_of_an_earlier_run_is_told_as_from_the_journal(
    dpipe: Dpipe, asked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN_KEY", "sk-not-to-be-seen")
    assert dpipe("run", "p.dpipe", "--canary", "0").code == 1
    assert "from the journal, " in dpipe("explain", "out/a.jsonl:1").out
    assert not as_json(dpipe, "out/a.jsonl:1")["steps"][-1]["questions"][0]["answer"]["attempts"][
        0
    ]["fresh"]


@pytest.mark.usefixtures("asked")
def test_nothing_is_asked_written_or_given_away(dpipe: Dpipe, server: Server) -> None:
    calls = server.stats().total
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    done = dpipe("explain", "--full", "out/a.jsonl:2")
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert server.stats().total == calls
    assert {path for path in after if ".dpipe" not in path.parts} <= set(before)
    assert all(after[path] == data for path, data in before.items() if path.suffix != ".sqlite-shm")
    assert "sk-not-to-be-seen" not in done.out + done.err


@pytest.mark.usefixtures("asked")
def test_a_replay_needs_no_key_either(dpipe: Dpipe) -> None:
    written = Path("out/a.jsonl").read_bytes()
    assert "GEN_KEY" not in os.environ
    assert dpipe("run", "p.dpipe", "--replay").code == 1
    assert Path("out/a.jsonl").read_bytes() == written


@pytest.mark.usefixtures("simple")
def test_the_program_is_the_one_that_ran_whatever_became_of_its_file(dpipe: Dpipe) -> None:
    program("dpipe 1\nsink nothing")
    assert "kept: where" in dpipe("explain", "out/a.jsonl:1").out
    Path("p.dpipe").unlink()
    assert dpipe("explain", "--missing", "in.jsonl:1").code == 0


@pytest.mark.usefixtures("simple")
def test_it_does_not_matter_from_where_it_is_asked(
    dpipe: Dpipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = dpipe("explain", "out/a.jsonl:1").out
    monkeypatch.chdir("out")
    assert dpipe("explain", "a.jsonl:1").out == here
    there = dpipe("explain", "--missing", "../in.jsonl:2").out
    assert there.startswith("in.jsonl:2  arrived in out/a.jsonl:1\n")


def test_a_run_of_one_sink_with_its_params_is_gone_through_as_it_went(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": str(n)} for n in range(5)])
    program(SIMPLE + 'sink all = docs | jsonl("out/all.jsonl")\n')
    assert dpipe("run", "p.dpipe", "--only", "out", "--least", "4").code == 0
    told = as_json(dpipe, "--missing", "in.jsonl:5")
    assert [(end["file"], end["record"]) for end in told["endings"]] == [("out/a.jsonl", 1)]


# -- a record that is not --------------------------------------------------------------------------


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        (1, "gave no output: filtered at `rated: where`"),
        (2, "arrived in out/a.jsonl:1"),
        (4, "gave no output: refused at `rated: ask`"),
        (5, "gave no output: malformed at `rated: ask`"),
    ],
)
def test_the_first_line_says_what_became_of_an_input(dpipe: Dpipe, line: int, told: str) -> None:
    done = dpipe("explain", "--missing", f"in.jsonl:{line}")
    assert done.code == 0
    assert done.out.startswith(f"in.jsonl:{line}  {told}\n")


@pytest.mark.usefixtures("asked")
def test_a_test_that_does_not_hold_is_shown_with_what_it_read(dpipe: Dpipe) -> None:
    out = dpipe("explain", "--missing", "in.jsonl:1").out
    assert "✗ rated: where  filtered: the test does not hold" in out
    assert "where(.id > 1)" in out
    assert re.search(r"^ +id  1$", out, re.MULTILINE)


ENDS = """dpipe 1
model a = openai("a", url: "scripted:said.jsonl")
model b = openai("b", url: "scripted:other.jsonl")
source docs: { id: int, text: str, parts: [str] } = jsonl("in.jsonl")
source names: { id: int, name: str } = rows([{ id: 1, name: "Ada" }, { id: 2, name: "Bo" },
  { id: 3, name: "Cy" }, { id: 4, name: "Di" }, { id: 6, name: "Fi" }, { id: 7, name: "Gu" }])
source tests: { text: str } = rows([{ text: "contaminated by the benchmark" }])
prompt good(text: str) -> "yes" | "no" { user: "Good? {text}" }
sink out = docs
  | dedup(.text, by: exact())
  | decontaminate(.text, against: tests, on: t -> t.text, n: 3)
  | join(names, on: .id)
  | ask(good, using: vote([a, b], on: v -> v, tie: "drop"), as: .good)
  | unnest(.parts, as: .part)
  | limit(2)
  | jsonl("out/a.jsonl")
"""


@pytest.fixture
def ends(dpipe: Dpipe) -> None:
    texts = ("first", "FIRST", "contaminated by the benchmark", "no parts", "nobody's", "disputed")
    parts = {"no parts": []}
    records = [
        {"id": n, "text": text, "parts": parts.get(text, ["x"])}
        for n, text in enumerate((*texts, "the last"), 1)
    ]
    rows("in.jsonl", [*records, {"id": 2, "text": "left over", "parts": ["x", "y"]}])
    rows("said.jsonl", [{"reply": "yes"}])
    rows("other.jsonl", [{"match": "disputed", "reply": "no"}, {"reply": "yes"}])
    program(ENDS)
    assert dpipe("run", "p.dpipe").code == 0


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize(
    ("line", "reason", "stage"),
    [
        (2, "duplicate", "dedup"),
        (3, "contaminated", "decontaminate"),
        (4, "empty", "unnest"),
        (5, "unmatched", "join"),
        (6, "outvoted", "ask"),
        (8, "surplus", "limit"),
    ],
)
def test_every_kind_of_end_is_told(dpipe: Dpipe, line: int, reason: str, stage: str) -> None:
    told = as_json(dpipe, "--missing", f"in.jsonl:{line}")
    assert {(end["reason"], end["stage"]) for end in told["endings"]} == {(reason, f"out: {stage}")}


@pytest.mark.usefixtures("ends")
def test_a_duplicate_names_its_original_and_a_vote_its_ballots(dpipe: Dpipe) -> None:
    assert "a duplicate of in.jsonl:1" in dpipe("explain", "--missing", "in.jsonl:2").out
    told = as_json(dpipe, "--missing", "in.jsonl:6")["endings"][0]["questions"][0]["answer"]
    assert (told["who"], told["outcome"]) == ("vote", "out-voted")
    assert [(one["who"], one["value"]) for one in told["answers"]] == [("a", "yes"), ("b", "no")]


@pytest.mark.usefixtures("ends")
def test_a_record_of_the_program_itself_has_a_fate_too(dpipe: Dpipe) -> None:
    assert "arrived in out/a.jsonl:1" in dpipe("explain", "--missing", "names[0]").out
    assert "only looked at" in dpipe("explain", "--missing", "tests[0]").out


def test_documents_and_other_places_are_found_as_people_name_them(dpipe: Dpipe) -> None:
    rows("a.jsonl", [])
    Path("notes").mkdir()
    Path("notes/a.txt").write_text("A note")
    Path("notes/blank.txt").write_text(" ")
    Path("t.csv").write_text('n,text\n1,"two\nlines"\n2,plain\n')
    Path("list.json").write_text('[{"n": 1, "text": "one"}, {"n": 2, "text": "two"}]')
    program(
        "dpipe 1\n"
        'source notes = text("notes/*.txt")\n'
        'source table: { n: int, text: str } = csv("t.csv")\n'
        'source list: { n: int, text: str } = json("list.json")\n'
        "flow all = concat(table, list) | drop(.n)\n"
        'sink a = all | jsonl("out/a.jsonl")\n'
        'sink b = notes | jsonl("out/b.jsonl")\n'
    )
    dpipe("run", "p.dpipe")
    for subject, told in {
        "notes/a.txt": "arrived in out/b.jsonl:1",
        "notes/blank.txt": "gave no output: failed at `notes`",
        "t.csv:4": "arrived in out/a.jsonl:2",
        "list.json:2": "arrived in out/a.jsonl:4",
        "list.json[1]": "arrived in out/a.jsonl:4",
    }.items():
        assert dpipe("explain", "--missing", subject).out.startswith(f"{subject}  {told}\n")


def test_rows_that_no_source_was_asked_for_are_told_as_such(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": "x"} for n in range(2000)])
    program(SIMPLE.replace("| set", "| limit(1) | set"))
    dpipe("run", "p.dpipe")
    done = dpipe("explain", "--missing", "in.jsonl:2000")
    assert done.code == 2
    assert "`in.jsonl:2000` was not read" in done.err
    program(SIMPLE)
    dpipe("run", "p.dpipe", "--sample", "5")
    assert "--sample" in dpipe("explain", "--missing", "in.jsonl:6").err


# -- how it is told --------------------------------------------------------------------------------


def test_what_a_row_holds_cannot_harm_the_terminal_and_stays_in_its_width(dpipe: Dpipe) -> None:
    long = "\x1b[31mred\x07 " + "words and words " * 80 + "说" * 99
    rows("in.jsonl", [{"id": 1, "text": long}, {"id": 2, "text": long}])
    program(SIMPLE)
    dpipe("run", "p.dpipe")
    for args in (("out/a.jsonl:1",), ("--missing", "in.jsonl:1"), ("--full", "out/a.jsonl:1")):
        done = dpipe("explain", *args)
        assert "\x1b" not in done.out
        assert "\x07" not in done.out
        assert max(len(line) + line.count("说") for line in done.out.splitlines()) <= 80
    short, full = dpipe("explain", "out/a.jsonl:1").out, dpipe("explain", "--full", "out/a.jsonl:1")
    assert "more characters" in short
    assert "more character" not in full.out
    assert full.out.count("words") > 160


@pytest.mark.usefixtures("simple")
def test_colour_is_for_terminals(dpipe: Dpipe) -> None:
    assert "\x1b[" not in dpipe("explain", "out/a.jsonl:1").out
    assert "\x1b[" in dpipe("--color", "always", "explain", "out/a.jsonl:1").out


def test_of_many_rows_a_few_are_told_and_the_others_named(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": "x"} for n in range(20)])
    program(
        'dpipe 1\nsource docs: { id: int, text: str } = jsonl("in.jsonl")\n'
        'sink out = docs | group(by: .text, rows: count()) | jsonl("out/a.jsonl")\n'
        'sink figures = docs | report(rows: count(), path: "out/figures.json")\n'
    )
    dpipe("run", "p.dpipe")
    out = dpipe("explain", "out/a.jsonl:1").out
    assert "├ 1 of 20" in out
    assert "18 more rows, from in.jsonl:3, in.jsonl:4" in out
    assert dpipe("explain", "--full", "out/a.jsonl:1").out.count("● docs") == 20
    assert len(as_json(dpipe, "out/figures.json:1")["steps"]) == 20


# -- what cannot be told ---------------------------------------------------------------------------


@pytest.mark.usefixtures("simple")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("out/a.jsonl:5",), "`out/a.jsonl` has 4 records, and none at 5"),
        (("out/a.jsonl:0",), "records and lines are counted from 1"),
        (("out/a.jsonl",), "which record of `out/a.jsonl`?"),
        (("out/none.jsonl:1",), "there is no file `out/none.jsonl`"),
        (("out:1",), "`out` is a folder"),
        (("in.jsonl:1",), "no recorded run wrote `in.jsonl`"),
        (("--missing", "in.jsonl:9"), "no source of `p.dpipe` has a record at `in.jsonl:9`"),
        (("--missing", "out/a.jsonl:1"), "no recorded run read `out/a.jsonl`"),
        (("--missing", "--run", "x", "in.jsonl:1"), "there is no run `x`"),
        (("--run", "last", "out/a.jsonl:1"), "--run goes with --missing"),
    ],
)
def test_a_mistake_is_told_with_the_way_out(
    dpipe: Dpipe, args: tuple[str, ...], message: str
) -> None:
    done = dpipe("explain", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")


@pytest.mark.usefixtures("simple")
def test_a_record_that_its_run_would_not_write_today_is_not_explained(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": f"other {n}"} for n in range(1, 6)])
    done = dpipe("explain", "out/a.jsonl:1")
    assert done.code == 2
    assert "gives another record there; `in.jsonl` has changed since" in done.err
    assert "`in.jsonl` has changed since" in dpipe("explain", "--missing", "in.jsonl:1").out
    Path("in.jsonl").unlink()
    assert "there is no file `in.jsonl`" in dpipe("explain", "out/a.jsonl:1").err


@pytest.mark.usefixtures("asked")
def test_without_its_answers_a_record_is_not_explained(dpipe: Dpipe) -> None:
    with sqlite3.connect(".dpipe/journal.sqlite") as journal:
        journal.execute("DELETE FROM attempts")
    journal.close()
    assert "the journal lacks 4 answers that the run needs" in dpipe("explain", "out/a.jsonl:1").err
    for file in Path(".dpipe").glob("journal.sqlite*"):
        file.unlink()
    assert "the journal is gone" in dpipe("explain", "out/a.jsonl:1").err
    shutil.rmtree(".dpipe/runs")
    Path(".dpipe/runs").mkdir()
    assert "no recorded run wrote `out/a.jsonl`" in dpipe("explain", "out/a.jsonl:1").err
    shutil.rmtree(".dpipe")
    assert "no run of dpipe wrote `out/a.jsonl`" in dpipe("explain", "out/a.jsonl:1").err


def test_python_of_the_program_runs_only_with_leave(dpipe: Dpipe) -> None:
    Path("mine.py").write_text("def loud(text):\n    return text.upper()\n")
    rows("in.jsonl", [{"id": 2, "text": "x"}])
    program(
        SIMPLE.replace('"{.text} {.text}"', "loud(.text)").replace(
            "param", 'extern def loud(text: str) -> str = python("mine.py:loud")\nparam'
        )
    )
    assert dpipe("run", "p.dpipe", "--allow-python").code == 0
    for args in (("out/a.jsonl:1",), ("--missing", "in.jsonl:1")):
        done = dpipe("explain", *args)
        assert done.code == 2
        assert "the program runs Python of its own" in done.err
        assert dpipe("explain", "--allow-python", *args).code == 0


def test_a_partial_file_is_explained_as_far_as_it_goes(dpipe: Dpipe) -> None:
    rows("in.jsonl", [{"id": n, "text": "[[x]] " * n} for n in range(2, 40)])
    text = ASKS.replace("URL", "simulated:").replace('key: secret("GEN_KEY"), ', "")
    program(text + 'sink array = rated | json("out/a.json")\n')
    assert dpipe("run", "p.dpipe", "--max-tokens", "2000").code == 4
    assert "● docs  in.jsonl:2" in dpipe("explain", "out/a.jsonl.partial:2").out
    assert "cannot be read yet" in dpipe("explain", "out/a.json.partial:2").out
    done = dpipe("explain", "--missing", "in.jsonl:38")
    assert "the run did not come to its end (stopped)" in done.out
    assert "● docs" in done.out
