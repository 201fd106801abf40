from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_driver import Dpipe

PROGRAM = """dpipe 1

param least: int = 2

model gen = openai("m", url: env("NO_SUCH_URL"), key: secret("NO_SUCH_KEY"))

source docs = text("nowhere/*.txt")

prompt say(text: str) -> str {
  user: "{text}"
}

flow said = docs
  | where(len(.text) >= least)
  | ask(say, using: gen, as: .a)

sink out = said | jsonl("out/said.jsonl")
"""
GOOD = """
test "short texts are not asked about" {
  given: { docs: [{ path: "a", text: "ab" }, { path: "b", text: "c" }] }
  answer: { say: p -> "{p.text}!" }
  expect: map(said, s -> s.a) == ["ab!"]
}
"""
BAD = """
test "a text is said twice" {
  given: { docs: [{ path: "a", text: "ab" }, { path: "b", text: "cd" }] }
  answer: { say: ["x", fail("refused")] }
  expect: len(said) == 2
  expect: first(said).a == "xx"
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "p.dpipe").write_text(PROGRAM + GOOD + BAD)
    return Path("p.dpipe")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "good.dpipe").write_text(PROGRAM + GOOD)
    return Path("good.dpipe")


def test_a_test_that_passes_is_a_line_and_exit_0(dpipe: Dpipe, good: Path, tmp_path: Path) -> None:
    done = dpipe("test", good)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "good.dpipe",
        "  ok    short texts are not asked about",
        "1 test passed",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["good.dpipe"]


def test_one_that_fails_shows_what_was_expected_and_what_is(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("test", program)
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "p.dpipe",
        "  ok    short texts are not asked about",
        "  FAIL  a text is said twice",
        "        p.dpipe:28",
        "          expect: len(said) == 2",
        "            len(said)  1",
        '            said       [{"path":"a","text":"ab","a":"x"}]',
        "        p.dpipe:29",
        '          expect: first(said).a == "xx"',
        '            first(said).a  "x"',
        '            first(said)    {"path":"a","text":"ab","a":"x"}',
        '            said           [{"path":"a","text":"ab","a":"x"}]',
        "        1 row could not go on:",
        "          docs[1]  said: ask: refused: as the test has it",
        "1 of 2 tests failed",
    ]


def test_long_values_are_wrapped_and_long_lists_cut(dpipe: Dpipe, tmp_path: Path) -> None:
    words = "word " * 60
    rows = ", ".join(f'{{ path: "{n}", text: "{words}" }}' for n in range(9))
    test = f'\ntest "t" {{\n  given: {{ docs: [{rows}] }}\n  expect: len(docs) == 8\n}}\n'
    (tmp_path / "p.dpipe").write_text(PROGRAM + test)
    done = dpipe("test", "p.dpipe")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-2].strip() == "… 4 more"
    assert len(lines) == 4 + 1 + 5 * 4 + 2


def test_control_characters_of_a_row_do_not_reach_the_terminal(
    dpipe: Dpipe, tmp_path: Path
) -> None:
    test = (
        '\ntest "t" {\n  given: { docs: [{ path: "\\u{1b}[2J", text: "\\u{202e}" }] }\n'
        "  expect: len(docs) == 2\n}\n"
    )
    (tmp_path / "p.dpipe").write_text(PROGRAM + test)
    done = dpipe("test", "p.dpipe")
    assert done.code == 1
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


def test_filter_picks_tests_by_a_part_of_their_name(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("test", program, "--filter", "short")
    assert done.code == 0
    assert "said twice" not in done.out


def test_a_filter_that_no_test_meets_is_a_usage_error(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("test", program, "--filter", "shrot")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'error: no test in `p.dpipe` has "shrot" in its name\n'


def test_a_program_without_tests_is_a_usage_error(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "p.dpipe").write_text(PROGRAM)
    done = dpipe("test")
    assert done.code == 2
    assert done.err.startswith("error: no test in `.`\n  = help: ")


def test_a_folder_is_all_its_programs_but_those_without_tests(
    dpipe: Dpipe, good: Path, program: Path, tmp_path: Path
) -> None:
    (tmp_path / "none.dpipe").write_text(PROGRAM)
    done = dpipe("test", ".")
    assert done.code == 1
    assert [line for line in done.out.splitlines() if line.endswith(".dpipe")] == [
        "good.dpipe",
        "p.dpipe",
    ]
    assert done.out.splitlines()[-1] == "1 of 3 tests failed"


def test_a_program_with_errors_is_told_and_the_others_are_tested(
    dpipe: Dpipe, good: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.dpipe").write_text(PROGRAM.replace("len(.text)", "len(.txt)"))
    done = dpipe("test")
    assert done.code == 2
    assert "error[E0306]" in done.err
    assert done.out.splitlines()[-1] == "1 test passed"


def test_a_prompt_that_a_test_leaves_out_is_told_before_it_runs(
    dpipe: Dpipe, tmp_path: Path
) -> None:
    test = GOOD.replace('  answer: { say: p -> "{p.text}!" }\n', "")
    (tmp_path / "p.dpipe").write_text(PROGRAM + test)
    done = dpipe("test")
    assert done.code == 2
    assert "error[E0804]" in done.err


def test_params_can_be_set(dpipe: Dpipe, good: Path) -> None:
    done = dpipe("test", good, "-p", "least=3")
    assert done.code == 1
    assert "            said                 []" in done.out.splitlines()


def test_json_has_facts_in_fields(dpipe: Dpipe, program: Path) -> None:
    done = dpipe("test", program, "--format", "json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["version"] == 1
    assert found["summary"] == {"passed": 1, "failed": 1}
    good, bad = found["tests"]
    assert (good["passed"], good["failures"]) == (True, [])
    assert (bad["name"], bad["file"], bad["line"]) == ("a text is said twice", "p.dpipe", 25)
    assert bad["failures"][0]["expect"] == "len(said) == 2"
    assert bad["failures"][0]["values"][0] == {"text": "len(said)", "value": 1}
    assert [reject["outcome"] for reject in bad["rejects"]] == ["refused"]
