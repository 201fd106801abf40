from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

CLEAN = """dpipe 1

source docs = text("a.txt")

flow long = docs | where(len(.text) > 3)

sink out = long | jsonl("out.jsonl")
"""
WRONG = CLEAN.replace("len(.text)", "len(.txt)")


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    (tmp_path / "clean.dpipe").write_text(CLEAN)
    return Path("clean.dpipe")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "wrong.dpipe").write_text(WRONG)
    return Path("wrong.dpipe")


def test_a_clean_program_exits_0_and_says_so(dpipe: Dpipe, clean: Path) -> None:
    done = dpipe("check", clean)
    assert (done.code, done.err) == (0, "")
    assert "1 file" in done.out


def test_findings_exit_1_with_place_caret_and_help(dpipe: Dpipe, wrong: Path) -> None:
    done = dpipe("check", wrong)
    assert done.code == 1
    assert "error[E0306]: the row has no field `txt`" in done.out
    assert "wrong.dpipe:5:30" in done.out
    assert "did you mean `.text`?" in done.out
    assert done.out.splitlines()[-1] == "1 error, 0 warnings in 1 file"


def test_output_that_is_no_terminal_has_no_colour(dpipe: Dpipe, wrong: Path) -> None:
    assert "\x1b[" not in dpipe("check", wrong).out


def test_short_is_a_line_a_finding(dpipe: Dpipe, wrong: Path) -> None:
    first = dpipe("check", "--format", "short", wrong).out.splitlines()[0]
    assert first.startswith("wrong.dpipe:5:30: E0306 ")


def test_json_has_facts_in_fields(dpipe: Dpipe, wrong: Path) -> None:
    found = json.loads(dpipe("check", "--format", "json", wrong).out)
    [finding] = found["diagnostics"]
    assert finding["code"] == "E0306"
    assert finding["span"]["start"]["line"] == 5
    assert found["summary"] == {"errors": 1, "warnings": 0, "files": 1}


def test_sarif_names_the_rule(dpipe: Dpipe, wrong: Path) -> None:
    log = json.loads(dpipe("check", "--format", "sarif", wrong).out)
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"][0]["ruleId"] == "E0306"


def test_on_github_findings_become_annotations(
    dpipe: Dpipe, wrong: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert dpipe("check", wrong).out.startswith("::error title=dpipe (E0306),file=wrong.dpipe,")


def test_a_folder_is_all_its_programs(dpipe: Dpipe, clean: Path, wrong: Path) -> None:
    done = dpipe("check")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "1 error, 0 warnings in 2 files"


def test_a_file_that_two_programs_import_is_told_once(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "shared.dpipe").write_text("dpipe 1\n\ndef f(x: str) -> str = y\n")
    for name in ("one", "two"):
        text = CLEAN.replace("dpipe 1\n", 'dpipe 1\n\nimport "./shared.dpipe" as s\n')
        text = text.replace("len(.text)", "len(s.f(.text))")
        (tmp_path / f"{name}.dpipe").write_text(text)
    done = dpipe("check", "one.dpipe", "two.dpipe")
    assert done.out.splitlines()[-1] == "1 error, 0 warnings in 3 files"


def test_types_prints_the_row_after_each_stage(dpipe: Dpipe, clean: Path) -> None:
    done = dpipe("check", "--types", clean)
    assert "clean.dpipe:5  long | where   { path: str, text: str }" in done.out


def test_a_missing_file_is_a_usage_error_with_a_guess(dpipe: Dpipe, clean: Path) -> None:
    done = dpipe("check", "claen.dpipe")
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: no file `claen.dpipe`",
        "  = help: did you mean `clean.dpipe`?",
    ]


def test_a_folder_without_programs_is_a_usage_error(dpipe: Dpipe) -> None:
    done = dpipe("check", ".")
    assert (done.code, done.err) == (2, "error: no .dpipe file in `.`\n")


def test_a_file_that_is_no_text_is_a_finding(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "bytes.dpipe").write_bytes(b"dpipe 1\n\xff\n")
    done = dpipe("check", "bytes.dpipe")
    assert done.code == 1
    assert "E0003" in done.out


def test_fix_applies_what_is_safe_and_tells_it(dpipe: Dpipe, tmp_path: Path) -> None:
    text = CLEAN.replace('"a.txt"', "'a.txt'").replace(
        "dpipe 1\n", "dpipe 1\n\nimport std.text\n", 1
    )
    (tmp_path / "loose.dpipe").write_bytes(text.replace("\n", "\r\n").encode())
    done = dpipe("check", "--fix", "loose.dpipe")
    assert (done.code, done.out) == (0, "0 errors, 0 warnings in 1 file\n")
    assert sorted(done.err.splitlines()) == [
        "fixed loose.dpipe:3: W0202 import `text` is not used",
        "fixed loose.dpipe:5: E0102 strings use double quotes",
    ]
    fixed = (tmp_path / "loose.dpipe").read_bytes()
    assert fixed == CLEAN.replace("dpipe 1\n", "dpipe 1\n\n", 1).replace("\n", "\r\n").encode()
    assert [path.name for path in tmp_path.iterdir()] == ["loose.dpipe"]


def test_fix_leaves_what_is_not_safe_and_what_was_not_named(
    dpipe: Dpipe, wrong: Path, tmp_path: Path
) -> None:
    (tmp_path / "lib.dpipe").write_text("dpipe 1\n\nparam p: str = 'x'\n")
    text = WRONG.replace("dpipe 1\n", 'dpipe 1\n\nimport "./lib.dpipe" as lib\n')
    text = text.replace("len(.txt)", "len(.txt + lib.p)")
    wrong.write_text(text)
    done = dpipe("check", "--fix", wrong)
    assert (done.code, done.err) == (1, "")
    assert wrong.read_text() == text
    assert (tmp_path / "lib.dpipe").read_text().endswith("'x'\n")


def test_what_only_informs_is_shown_on_request(dpipe: Dpipe, tmp_path: Path) -> None:
    model = 'model m = openai("m", url: "http://localhost/v1")\n\nprompt p(text: str) -> str {\n'
    text = CLEAN.replace("flow long", f'{model}  user: "{{text}}"\n}}\n\nflow long')
    text = text.replace("where(len(.text) > 3)", "ask(p, using: m, as: .x)")
    (tmp_path / "m.dpipe").write_text(text)
    assert dpipe("check", "--strict", "m.dpipe").out == "0 errors, 0 warnings in 1 file\n"
    done = dpipe("check", "--info", "--strict", "m.dpipe")
    assert done.code == 0
    assert "info[W0601]" in done.out
    assert done.out.splitlines()[-1] == "0 errors, 0 warnings, 1 note in 1 file"


@pytest.mark.parametrize("name", ["\\u{0}", "\\u{d800}", "a" * 5000])
def test_an_import_with_no_file_s_name_is_a_finding(
    dpipe: Dpipe, tmp_path: Path, name: str
) -> None:
    (tmp_path / "p.dpipe").write_text(f'dpipe 1\nimport "{name}" as e\n')
    done = dpipe("check", "p.dpipe", "--format", "short")
    assert done.code == 1
    assert done.out.startswith("p.dpipe:2:8: E")
    assert "bug" not in done.err


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 5000 + "/b"])
def test_what_names_no_file_is_a_usage_error(dpipe: Dpipe, name: str) -> None:
    done = dpipe("check", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: no file `a")


def test_what_is_no_ordinary_file_is_not_waited_for(dpipe: Dpipe, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.dpipe")
    done = dpipe("check", "f.dpipe")
    assert done.code == 1
    assert "error[E0004]: cannot read `f.dpipe`: not an ordinary file" in done.out
    assert "cannot read `f.dpipe`: not an ordinary file" in dpipe("fmt", "f.dpipe").err
    assert "cannot read `/dev/zero`: not an ordinary file" in dpipe("check", "/dev/zero").out


def test_a_file_that_is_far_too_large_is_a_finding(dpipe: Dpipe, tmp_path: Path) -> None:
    with (tmp_path / "big.dpipe").open("wb") as file:
        file.truncate(1 << 40)
    done = dpipe("check", "big.dpipe")
    assert done.code == 1
    assert "cannot read `big.dpipe`: larger than 16 mib" in done.out


@pytest.mark.parametrize("name", ["bad", "dpipe", "hidden"])
def test_the_state_folder_and_hidden_files_are_never_guessed(
    dpipe: Dpipe, tmp_path: Path, name: str
) -> None:
    (tmp_path / ".dpipe").mkdir()
    (tmp_path / ".hidden.dpipe").touch()
    done = dpipe("check", name)
    assert done.err == f"error: no file `{name}`\n"
