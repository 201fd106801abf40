from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

PROGRAM = """dpipe 1

param shortest: int = 3 "characters that a text must have"
param word: str = "x"
param loud: bool = false

source docs: { text: str } = jsonl("in.jsonl")

flow kept = docs
  | where(len(.text) >= shortest)
  | set(text: if loud then upper("{word} {.text}") else "{word} {.text}")

sink all = docs | jsonl("out/all.jsonl")

sink out = kept | jsonl("out/kept.jsonl")
"""
ASKS = """dpipe 1

model writer = openai("simulated", url: "simulated:")

source seeds = repeat(5)

prompt idea(index: int) -> str {
  user: "Think of idea number {index}. Ideas are about ships, or about trees in the mountains."
}

flow ideas = seeds | ask(idea, using: writer, as: .idea)

sink out = ideas | jsonl("out.jsonl")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "p.dpipe").write_text(PROGRAM)
    texts = ("one", "to", "three")
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts))
    return Path("p.dpipe")


@pytest.fixture
def asks(tmp_path: Path) -> Path:
    (tmp_path / "asks.dpipe").write_text(ASKS)
    return Path("asks.dpipe")


def kept() -> list[str]:
    lines = Path("out/kept.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines]


# -- what it makes and says ----------------------------------------------------------------------


def test_a_run_writes_the_files_and_tells_the_funnel(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("run", program)
    assert (done.code, done.err) == (0, "")
    assert kept() == ["x one", "x three"]
    assert done.out.startswith("p.dpipe: done in ")
    assert "  kept  where     3     2  1 filtered\n" in done.out
    assert "  out/kept.jsonl     2 rows\n" in done.out


def test_only_runs_the_sinks_that_are_named(dpipe: Dpipe, program: Path) -> None:
    assert dpipe("run", program, "--only", "out").code == 0
    assert not Path("out/all.jsonl").exists()
    assert kept() == ["x one", "x three"]


def test_sample_takes_the_first_rows(dpipe: Dpipe, program: Path) -> None:
    dpipe("run", program, "--sample", "1")
    assert kept() == ["x one"]


def test_a_sample_after_a_whole_run_lies_beside_and_says_so(dpipe: Dpipe, program: Path) -> None:
    dpipe("run", program)
    done = dpipe("run", program, "--sample", "1")
    assert done.code == 0
    assert "out/kept.jsonl was left as it was, with 2 rows" in done.out
    assert kept() == ["x one", "x three"]
    assert "are a sample" in dpipe("runs", "last").out


def test_events_are_lines_of_json(dpipe: Dpipe, program: Path) -> None:
    dpipe("run", program, "--events", "events.jsonl")
    events = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert events[0]["type"] == "run_started"
    assert events[-1]["type"] == "run_ended"
    assert {e["path"] for e in events if e["type"] == "sink_written"} == {
        "out/all.jsonl",
        "out/kept.jsonl",
    }


def test_the_result_can_be_json_and_nothing_else(dpipe: Dpipe, program: Path) -> None:
    result = json.loads(dpipe("run", program, "--format", "json").out)
    assert (result["status"], result["exit_code"]) == ("done", 0)
    assert {output["path"]: output["rows"] for output in result["outputs"]} == {
        "out/all.jsonl": 3,
        "out/kept.jsonl": 2,
    }


def test_an_input_without_rows_is_told(dpipe: Dpipe, program: Path) -> None:
    Path("in.jsonl").write_text("")
    done = dpipe("run", program)
    assert done.code == 0
    assert "gave no rows" in done.out
    assert kept() == []


def test_rows_lost_to_failures_exit_1_and_say_where_they_are(dpipe: Dpipe, program: Path) -> None:
    with Path("in.jsonl").open("a") as file:
        file.write('{"text": 7}\nnot json\n')
    done = dpipe("run", program, "--only", "out")
    assert done.code == 1
    assert "2 failed" in done.out
    told = done.out[done.out.index("2 rows failed; ") :].splitlines()
    assert told[0] == "2 rows failed; what and why is in out/kept.rejects.jsonl:"
    assert told[1] == "  in.jsonl:4  docs: .text: expected str, found 7"
    assert told[2].startswith("  in.jsonl:5  docs: not JSON: ")
    assert kept() == ["x one", "x three"]


def test_what_rows_hold_cannot_move_the_cursor(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.replace("text: if loud", "n: int(.text), text: if loud"))
    Path("in.jsonl").write_text('{"text": "\\u001b[2J\\u202e!"}\n')
    done = dpipe("run", program)
    assert done.code == 1
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err
    assert "\\x1b[2J" in done.out or "\\u001b[2J" in done.out


def test_a_stand_in_is_called_one(dpipe: Dpipe, asks: Path) -> None:
    assert "writer was simulated" in dpipe("run", asks).out


def test_a_second_run_answers_from_the_journal(dpipe: Dpipe, asks: Path) -> None:
    dpipe("run", asks)
    first = Path("out.jsonl").read_bytes()
    done = dpipe("run", asks)
    assert "writer: 0 calls\n" in done.out
    assert "5 answers from the journal" in done.out
    assert Path("out.jsonl").read_bytes() == first


def test_a_replay_calls_nothing(dpipe: Dpipe, asks: Path) -> None:
    done = dpipe("run", asks, "--replay")
    assert done.code == 1
    assert "writer: 0 calls\n" in done.out


def test_runs_are_listed_and_shown_again(dpipe: Dpipe, program: Path) -> None:
    assert dpipe("runs").out.startswith("no run is recorded in ")
    dpipe("run", program)
    [line] = dpipe("runs").out.splitlines()
    assert "p.dpipe" in line
    assert line.endswith("done")
    assert "1 filtered" in dpipe("runs", "last").out
    assert dpipe("runs", line.split()[0][:9]).code == 0
    assert json.loads(dpipe("runs", "--format", "json").out)[0]["status"] == "done"
    unknown = dpipe("runs", "19")
    assert (unknown.code, unknown.err.splitlines()[0]) == (2, "error: there is no run `19`")


def test_a_run_is_shown_again_as_it_ended(dpipe: Dpipe, program: Path, asks: Path) -> None:
    with Path("in.jsonl").open("a") as file:
        file.write('{"text": 7}\n')
    first, *told = dpipe("run", program).out.splitlines()
    head, *lines = dpipe("runs", "last").out.splitlines()
    assert head.split()[0] == "p.dpipe"
    assert head.endswith(first.partition(": ")[2])
    assert lines[:3] == ["  shortest = 3", '  word = "x"', "  loud = false"]
    assert sorted(lines[3:]) == sorted(told)  # files stand in the order in which they came
    assert "1 row failed; what and why is in out/all.rejects.jsonl" in "\n".join(told)
    assert "up to 3 rows in 2 files" in dpipe("runs").out
    dpipe("run", asks)
    _, *told = dpipe("run", asks).out.splitlines()
    assert dpipe("runs", "last").out.splitlines()[1:] == told
    assert "writer was simulated" in told[-1]


def test_a_run_that_was_cut_off_is_shown_with_what_it_told(dpipe: Dpipe, program: Path) -> None:
    Path("in.jsonl").write_text('{"text": 7}\n')
    dpipe("run", program, "--only", "out")
    [folder] = Path(".dpipe/runs").iterdir()
    (folder / "result.json").unlink()
    (folder / "ledger.json").unlink()
    done = dpipe("runs", "last")
    assert (done.code, done.err) == (0, "")
    told = done.out.splitlines()
    assert told[0].startswith(f"p.dpipe  {folder.name}  20")
    assert told[0].endswith("  cut off")
    assert "1 row had failed:" in told
    assert "  in.jsonl:1  docs: .text: expected str, found 7" in told
    assert "after it began" in done.out
    assert told[-1] == "  dpipe run p.dpipe"
    kept = json.loads(dpipe("runs", "last", "--format", "json").out)
    assert (kept["status"], kept["ledger"], kept["result"]) == ("cut off", None, None)
    (folder / "events.jsonl").unlink()
    assert "it left no event" in dpipe("runs", "last").out


# -- params --------------------------------------------------------------------------------------


def test_a_param_is_an_option(dpipe: Dpipe, program: Path) -> None:
    assert dpipe("run", program, "--shortest", "4", "--word=y", "--loud").code == 0
    assert kept() == ["Y THREE"]


def test_options_go_over_a_file(dpipe: Dpipe, program: Path) -> None:
    Path("params.json").write_text('{"shortest": 1, "word": "file", "loud": true}')
    dpipe("run", program, "--params", "params.json", "-p", "word=p", "-p", "shortest=5")
    assert kept() == ["P THREE"]
    dpipe("run", program, "--params", "params.json", "--word", "opt", "--no-loud")
    assert kept() == ["opt one", "opt to", "opt three"]


@pytest.mark.parametrize(
    "args", [["--shortest", "9", "-p", "shortest=1"], ["-p", "shortest=9", "-p", "shortest=1"]]
)
def test_a_param_is_given_once(dpipe: Dpipe, program: Path, args: list[str]) -> None:
    done = dpipe("run", program, *args)
    assert (done.code, done.out) == (2, "")
    assert "error: param `shortest` is given twice" in done.err


def test_a_file_of_params_holds_values_of_their_types(dpipe: Dpipe, program: Path) -> None:
    Path("params.json").write_text('{"shortest": "3"}')
    done = dpipe("run", program, "--params", "params.json")
    assert (done.code, done.out) == (2, "")
    assert 'error[P0009]: param `shortest`: expected int, found "3"' in done.err
    Path("params.json").write_text('{"word": "3"}')
    assert dpipe("run", program, "--params", "params.json", "--shortest", "1_0").code == 0


def test_a_param_with_the_name_of_an_option_is_given_by_p(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.replace("word", "seed"))
    assert dpipe("run", program, "--seed", "1", "-p", "seed=z").code == 0
    assert kept() == ["z one", "z three"]


def test_help_lists_the_params_with_type_default_and_help(dpipe: Dpipe, program: Path) -> None:
    text = dpipe("run", program, "--help").out
    [line] = [line for line in text.splitlines() if "--shortest" in line]
    assert line.split(maxsplit=1)[1].startswith("int ")
    assert "characters that a text must have [default: 3]" in line
    assert "--loud / --no-loud" in text


@pytest.mark.parametrize(
    ("args", "fact", "help"),
    [
        (["--shortest", "x"], 'param `shortest`: expected int, found "x"', "p.dpipe:3"),
        (["-p", "shortst=1"], "the program has no param `shortst`", "did you mean `shortest`?"),
        (["-p", "shortest"], "`shortest` is not NAME=VALUE", "dpipe run --help"),
        (["--shrtest", "1"], "no such option --shrtest", "--shortest"),
        (["--params", "no.json"], "cannot read `no.json`", ""),
        (["--only", "ot"], "the program has no sink `ot`", "did you mean `out`?"),
        (["--sample", "0"], "`--sample` must be greater than or equal to 1", ""),
        (["--events", "no/folder/e.jsonl"], "`no/folder/e.jsonl` cannot be written", ""),
    ],
)
def test_a_wrong_option_is_one_fact_and_a_way_out(
    dpipe: Dpipe, program: Path, args: list[str], fact: str, help: str
) -> None:
    done = dpipe("run", program, *args)
    assert (done.code, done.out) == (2, "")
    assert fact in done.err.replace("'", "")
    assert help in done.err
    assert not Path("out").exists()


@pytest.mark.parametrize("text", ["[1]", "{", ""])
def test_a_file_of_params_holds_an_object(dpipe: Dpipe, program: Path, text: str) -> None:
    Path("params.json").write_text(text)
    done = dpipe("run", program, "--params", "params.json")
    assert done.code == 2
    assert "params.json" in done.err


def test_a_param_without_default_must_be_set(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.replace("int = 3", "int"))
    done = dpipe("run", program)
    assert done.code == 2
    assert "error[P0009]: param `shortest` is not set" in done.err
    assert "--shortest" in done.err
    assert "[required]" in dpipe("run", program, "--help").out


# -- what is missing or wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "code", "fact"),
    [
        ('jsonl("in.jsonl")', 'jsonl("no.jsonl")', "P0001", "no.jsonl"),
        ('jsonl("in.jsonl")', 'jsonl("no/*.jsonl")', "P0002", "no/*.jsonl"),
        ('jsonl("in.jsonl")', 'jsonl(env("NO_SUCH_NAME"))', "P0003", "NO_SUCH_NAME"),
        ('"out/kept.jsonl"', '"in.jsonl"', None, "in.jsonl"),
        ('"out/kept.jsonl"', '"../kept.jsonl"', None, "outside the project"),
    ],
)
def test_what_is_missing_stops_the_run_before_it_writes(
    dpipe: Dpipe, program: Path, before: str, after: str, code: str | None, fact: str
) -> None:
    program.write_text(PROGRAM.replace(before, after))
    done = dpipe("run", program)
    assert (done.code, done.out) == (2, "")
    assert fact in done.err
    assert (f"error[{code}]" if code else "error: ") in done.err
    assert not Path("out").exists()


def test_a_program_with_errors_shows_them_and_exits_2(dpipe: Dpipe, program: Path) -> None:
    program.write_text(PROGRAM.replace(".text)", ".txt)", 1))
    done = dpipe("run", program)
    assert (done.code, done.out) == (2, "")
    assert "error[E0306]" in done.err
    assert done.err.splitlines()[-1] == "1 error, 0 warnings in 1 file"


def test_a_missing_program_is_told_before_its_options(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("run", "q.dpipe", "--n", "5")
    assert done.code == 2
    assert done.err.startswith("error: no file `q.dpipe`\n")


def test_a_folder_is_no_program(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("run", ".")
    assert done.code in (1, 2)
    assert "bug" not in done.err


def test_an_unknown_setting_in_the_project_file_names_its_line(dpipe: Dpipe, program: Path) -> None:
    Path("dpipe.toml").write_text("seed = 1\nsampel = 3\n")
    done = dpipe("run", program)
    assert done.code == 2
    assert "dpipe.toml:2" in done.err
    assert "did you mean `sample`?" in done.err


def test_ctrl_c_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    text = ASKS.replace("repeat(5)", "repeat(2000)").replace(':")', ':", rpm: 3000)')
    (tmp_path / "slow.dpipe").write_text(text)
    command = [sys.executable, "-m", "dpipe.cli.main", "run", "slow.dpipe", "--events", "e"]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while run.poll() is None and not _has_started(tmp_path / "e"):
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=10)
    assert (run.returncode, err) == (130, "")
    assert "slow.dpipe: interrupted in " in out
    assert "run it again to go on" in out


def _has_started(events: Path) -> bool:
    return events.exists() and "progress" in events.read_text()


MISSING = """dpipe 1
model a = openai("a", url: env("DPIPE_NO_URL"), key: secret("DPIPE_NO_KEY"))
prompt p(n: int) -> str { user: "{n}" }
source xs: { n: int } = jsonl("no.jsonl")
source ys: { n: int } = jsonl("none/*.jsonl")
sink x = xs | ask(p(n: .n), using: a, as: .t) | jsonl("x.jsonl")
sink y = ys | jsonl("y.jsonl")
"""
UNSET = """dpipe 1
param a: int
param b: str
source xs: { n: int } = rows([{ n: 1 }])
sink x = xs | set(a: a, b: b) | jsonl("x.jsonl")
"""


def test_all_that_is_missing_is_told_in_one_go(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "p.dpipe").write_text(MISSING)
    done = dpipe("run", "p.dpipe")
    assert done.code == 2
    told = re.findall(r"error\[(P\d+)\]", done.err)
    assert told == ["P0001", "P0002", "P0003", "P0003"]
    assert all(name in done.err for name in ("no.jsonl", "none/", "DPIPE_NO_URL", "DPIPE_NO_KEY"))


def test_all_params_without_a_value_are_told_in_one_go(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "p.dpipe").write_text(UNSET)
    done = dpipe("run", "p.dpipe")
    assert re.findall(r"error\[P0009\]: param `(\w)` is not set", done.err) == ["a", "b"]
