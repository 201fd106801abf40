"""``dpipe cache``: the journal told, pruned, carried elsewhere and mended."""

from __future__ import annotations

import json
import os
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from dpipe.runtime.cache import lines
from dpipe.runtime.journal import Journal
from dpipe.runtime.locks import hold_journal
from dpipe.runtime.models.protocol import Reply, Usage
from dpipe.runtime.record import Project, find_project
from dpipe.runtime.stored import APPLICATION
from tests.cli.cli_driver import Dpipe
from tests.server import serving

PROGRAM = """dpipe 1

model gen = openai("a", url: "scripted:answers.jsonl", price: { input: 1, output: 1 })

source docs: { n: int } = jsonl("in.jsonl")

prompt tell(n: int) -> str { user: "Tell of {n}." }

sink out = docs | ask(tell, using: gen, as: .x) | jsonl("out.jsonl")
"""
SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
SCHEMA = json.loads((SCHEMAS / "cache.schema.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "p.dpipe").write_text(PROGRAM)
    rows(tmp_path, 3)
    (tmp_path / "answers.jsonl").write_text(
        '{"match": "Tell of 1.", "reply": "\\u001b[31mred\\nand more"}\n'
        '{"match": "Tell of 2.", "reply": ""}\n{"match": "Tell", "reply": "fine"}\n'
    )
    return find_project(tmp_path / "p.dpipe")


def rows(folder: Path, count: int, first: int = 0) -> None:
    lines = (f'{{"n": {n}}}\n' for n in range(first, first + count))
    (folder / "in.jsonl").write_text("".join(lines))


def asked(dpipe: Dpipe) -> int:
    """How many calls a run makes."""
    done = dpipe("run", "p.dpipe", "--format", "json", "--canary", "0")
    assert done.out, done.err
    return sum(model["calls"] for model in json.loads(done.out)["models"])


def told(dpipe: Dpipe, *args: str | Path, code: int = 0) -> dict[str, Any]:
    done = dpipe("cache", *args, "--format", "json")
    assert done.code == code, done.err
    found: dict[str, Any] = json.loads(done.out)
    jsonschema.validate(found, SCHEMA)
    return found


def changed(project: Project, statement: str) -> None:
    with closing(sqlite3.connect(project.journal)) as connection:
        connection.execute(statement)
        connection.commit()


# -- what is in it -------------------------------------------------------------------------------


def test_without_a_journal_that_is_said(dpipe: Dpipe, project: Project) -> None:
    done = dpipe("cache")
    assert (done.code, done.out) == (2, "")
    assert "no answer has been recorded" in done.err


def test_info_tells_how_much_of_whom_and_what_was_spent(dpipe: Dpipe, project: Project) -> None:
    assert [asked(dpipe), asked(dpipe)] == [3, 1]
    info = told(dpipe, "info")
    assert (info["answers"], info["attempts"], info["unused"]) == (3, 3, 0)
    assert info["outcomes"] == {"empty": 1, "ok": 2}
    [model], [prompt] = info["models"], info["prompts"]
    assert (model["answers"], model["failed"], prompt["name"]) == (3, 1, "tell")
    assert (info["spent"]["calls"], info["spent"]["recalled"]) == (4, 2)
    text = dpipe("cache").out
    assert "3 answers, from " in text
    assert "took 2 answers from here, which saved about $" in text
    assert "the programs used all of it in their last whole runs, or since" in text


def test_its_options_may_stand_before_the_command_or_behind_it(
    dpipe: Dpipe, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(dpipe)
    monkeypatch.chdir("/")
    where = ["--project", project.root / "p.dpipe"]
    for args in (
        ["list", *where, "--json"],
        [*where, "--json", "list"],
        [*where, "list", "--json"],
    ):
        assert len(json.loads(dpipe("cache", *args).out)["answers"]) == 3
    assert json.loads(dpipe("cache", *where, "--json").out)["type"] == "info"
    assert dpipe("cache", *where, "--json", "info", "--format", "text").out.startswith(
        str(project.root)
    )
    assert dpipe("cache", *where).out.startswith(str(project.root))


def test_answers_are_listed_the_newest_first_and_harm_no_terminal(
    dpipe: Dpipe, project: Project
) -> None:
    asked(dpipe)
    done = dpipe("cache", "list", "-n", "2")
    assert "1 more" in done.out
    assert "\x1b" not in dpipe("cache", "list").out
    assert "\\x1b[31mred and more" in dpipe("cache", "list").out
    listed = told(dpipe, "list", "--outcome", "ok")
    assert (len(listed["answers"]), listed["of"]) == (2, 2)
    assert told(dpipe, "list", "--model", "none")["answers"] == []


def test_an_answer_is_shown_with_all_its_attempts(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    [bad] = [a for a in told(dpipe, "list")["answers"] if "red" in a["begins"]]
    shown = told(dpipe, "show", bad["key"][:8])
    assert (shown["key"], shown["prompt"], shown["program"]) == (bad["key"], "tell", "p.dpipe")
    assert shown["attempts"][0]["text"] == "\x1b[31mred\nand more"
    text = dpipe("cache", "show", bad["key"][:8]).out
    assert "    \\x1b[31mred\n    and more\n" in text


def test_half_of_a_surrogate_pair_is_shown(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"k" * 16: "half \ud800"})
    assert told(dpipe, "show", "6b")["attempts"][0]["text"] == "half \ud800"
    assert "half \\ud800" in dpipe("cache", "show", "6b").out
    assert "half \\ud800" in dpipe("cache", "list").out


@pytest.mark.parametrize(
    ("key", "message"), [("xyz", "is no key"), ("", "is no key"), ("00", "there is no answer")]
)
def test_a_key_that_is_none_is_told(dpipe: Dpipe, project: Project, key: str, message: str) -> None:
    record(project, {b"\x01" * 16: "a"})
    done = dpipe("cache", "show", key)
    assert done.code == 2
    assert message in done.err


# -- prune ---------------------------------------------------------------------------------------


def test_prune_wants_to_be_told_what(dpipe: Dpipe, project: Project) -> None:
    done = dpipe("cache", "prune")
    assert done.code == 2
    assert "say what is to go" in done.err


def test_a_dry_run_removes_nothing(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    done = dpipe("cache", "prune", "--failed", "--dry-run")
    assert done.out.startswith("would remove 1 answer, about ")
    assert told(dpipe, "info")["answers"] == 3


def test_failures_can_be_pruned(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    assert told(dpipe, "prune", "--failed")["answers"] == 1
    assert told(dpipe, "info")["outcomes"] == {"ok": 2}


def test_a_model_can_be_pruned(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"a" * 16: "x"}, model="one")
    record(project, {b"b" * 16: "x"}, model="two")
    assert told(dpipe, "prune", "--model", "one")["answers"] == 1
    assert [m["name"] for m in told(dpipe, "info")["models"]] == ["two"]


def test_what_is_old_can_be_pruned(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"a" * 16: "x", b"b" * 16: "x"})
    changed(project, "UPDATE attempts SET at = at - 86400 * 40 WHERE key = x'" + "61" * 16 + "'")
    assert told(dpipe, "prune", "--older-than", "30d")["answers"] == 1
    assert told(dpipe, "prune", "--older-than", "30d")["answers"] == 0
    assert "is no age" in dpipe("cache", "prune", "--older-than", "soon").err


def test_what_the_last_whole_runs_used_is_kept(dpipe: Dpipe, project: Project) -> None:
    rows(project.root, 2, first=10)
    assert asked(dpipe) == 2
    rows(project.root, 2, first=11)  # 11 is recalled, 12 asked, 10 no longer used
    assert asked(dpipe) == 1
    assert told(dpipe, "info")["unused"] == 1
    assert told(dpipe, "prune", "--unused")["answers"] == 1
    assert asked(dpipe) == 0


def test_other_params_sinks_and_samples_are_uses_of_their_own(
    dpipe: Dpipe, project: Project
) -> None:
    rows(project.root, 4, first=10)
    asked(dpipe)
    dpipe("run", "p.dpipe", "--sample", "1")
    assert told(dpipe, "prune", "--unused")["answers"] == 0


def test_a_run_that_was_stopped_takes_nothing_from_what_was_used(
    dpipe: Dpipe, project: Project
) -> None:
    rows(project.root, 4, first=10)
    asked(dpipe)
    rows(project.root, 4, first=12)
    assert dpipe("run", "p.dpipe", "--max-tokens", "1").code == 4
    assert told(dpipe, "prune", "--unused")["answers"] == 0


def test_a_run_that_lost_rows_to_passing_trouble_takes_nothing_either(
    dpipe: Dpipe, project: Project
) -> None:
    rows(project.root, 4, first=10)
    asked(dpipe)
    rows(project.root, 4, first=14)
    assert dpipe("run", "p.dpipe", "--replay").code == 1
    assert told(dpipe, "prune", "--unused")["answers"] == 0
    asked(dpipe)
    assert told(dpipe, "prune", "--unused")["answers"] == 4


def test_rows_that_fail_alike_each_time_keep_nothing_in_use(dpipe: Dpipe, project: Project) -> None:
    rows(project.root, 4, first=10)
    asked(dpipe)
    (project.root / "in.jsonl").write_text('{"n": 10}\n{"n": 11}\nno record\n')
    assert dpipe("run", "p.dpipe").code == 1
    assert told(dpipe, "info")["unused"] == 2
    text = dpipe("cache").out
    assert "2 of it were not used by the programs in their last whole runs, nor since" in text
    assert told(dpipe, "prune", "--unused")["answers"] == 2


def test_a_program_that_is_gone_uses_nothing(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    (project.root / "p.dpipe").unlink()
    assert told(dpipe, "info")["unused"] == 3
    assert told(dpipe, "prune", "--unused")["answers"] == 3


def test_where_a_run_was_killed_nothing_is_called_unused(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    changed(project, "INSERT INTO runs (id, program, began) VALUES ('k', 'p.dpipe', 0)")
    assert told(dpipe, "info")["unused"] is None
    done = dpipe("cache", "prune", "--unused")
    assert done.code == 2
    assert "its last run was killed" in done.err


def test_nothing_is_pruned_beside_a_run(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    with hold_journal(project.locks), hold_journal(project.locks):
        done = dpipe("cache", "prune", "--failed")
        assert (done.code, "a run uses the journal" in done.err) == (2, True)
        assert dpipe("cache").code == 0
    with hold_journal(project.locks, alone=True):
        assert "is being pruned or repaired" in dpipe("run", "p.dpipe").err


def test_pruning_gives_the_room_back(dpipe: Dpipe, project: Project) -> None:
    record(project, {os.urandom(16): os.urandom(3000).hex() for _ in range(100)})
    before = project.journal.stat().st_size
    told(dpipe, "prune", "--older-than", "0s")
    assert project.journal.stat().st_size < before / 4


# -- export, import ------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Project:
    folder = tmp_path / "other"
    folder.mkdir()
    return find_project(folder / "p.dpipe")


def test_what_was_exported_answers_elsewhere(
    dpipe: Dpipe, project: Project, other: Project
) -> None:
    asked(dpipe)
    assert told(dpipe, "export", "all.jsonl")["answers"] == 3
    for name in ("p.dpipe", "answers.jsonl", "in.jsonl"):
        (other.root / name).write_text((project.root / name).read_text())
    taken = told(dpipe, "import", "all.jsonl", "--project", other.root)
    assert (taken["answers"], taken["known"]) == (3, 0)
    assert told(dpipe, "info", "--project", other.root)["unused"] == 0
    result = json.loads(dpipe("run", other.root / "p.dpipe", "--format", "json").out)
    assert (result["recalled"], result["models"][0]["calls"]) == (2, 1)
    assert (other.root / "out.jsonl").read_bytes() == (project.root / "out.jsonl").read_bytes()


def test_a_journal_comes_back_whole(dpipe: Dpipe, project: Project, other: Project) -> None:
    texts = {os.urandom(16): text for text in ("plain", "half \ud800", "nul \0", "x" * 5000, "")}
    record(project, texts, usage=Usage(3, 4), reasoning="\udfff because")
    vectors = {os.urandom(16): bytes(range(64))[:32] for _ in range(3)}
    with_journal(project, lambda journal: trio.run(journal.record_vectors, vectors))
    told(dpipe, "export", "all.jsonl")
    schema = json.loads((SCHEMAS / "journal-export.schema.json").read_text())
    for line in Path("all.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), schema)
    assert told(dpipe, "import", "all.jsonl", "--project", other.root)["vectors"] == 3
    for key, text in texts.items():
        [entry] = recalled(other, key)
        assert entry.reply == Reply(text, usage=Usage(3, 4), reasoning="\udfff because")
    with Journal.open(other.journal, program="p") as journal:
        assert journal.recall_vectors(vectors) == vectors
    told(dpipe, "export", "again.jsonl", "--project", other.root)
    assert Path("again.jsonl").read_bytes() == Path("all.jsonl").read_bytes()


def test_an_import_replaces_failures_only(dpipe: Dpipe, project: Project, other: Project) -> None:
    good, bad, worse = b"g" * 16, b"b" * 16, b"w" * 16
    record(other, {good: "theirs", bad: "theirs"})
    record(other, {worse: ""}, outcome="empty")
    record(project, {good: "mine"})
    record(project, {bad: "", worse: ""}, outcome="empty")
    told(dpipe, "export", "all.jsonl", "--project", other.root)
    taken = told(dpipe, "import", "all.jsonl")
    assert (taken["answers"], taken["known"]) == (1, 2)
    assert [recalled(project, key)[0].reply.text for key in (good, bad)] == ["mine", "theirs"]


def test_a_failure_that_was_imported_is_asked_again(
    dpipe: Dpipe, project: Project, other: Project
) -> None:
    record(other, {b"b" * 16: ""}, outcome="empty")
    told(dpipe, "export", "all.jsonl", "--project", other.root)
    told(dpipe, "import", "all.jsonl")
    with Journal.open(project.journal, program="p") as journal:
        [entry] = journal.recall(b"b" * 16)
        assert journal.ended(entry.run)


def test_no_key_is_in_an_export(
    dpipe: Dpipe, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-thisisthekeythatnobodysees"
    monkeypatch.setenv("GEN_KEY", key)
    with serving(key=key) as server:
        program = PROGRAM.replace("scripted:answers.jsonl", server.url)
        program = program.replace("price:", 'key: secret("GEN_KEY"), price:')
        (project.root / "p.dpipe").write_text(program)
        assert asked(dpipe) == 3
    assert told(dpipe, "export", "all.jsonl")["answers"] == 3
    exported = Path("all.jsonl").read_bytes()
    assert key.encode() not in exported
    assert b64encode(key.encode()) not in exported


ATTEMPT = '{"attempt":0,"outcome":"ok","at":1.0,"reply":{"text":"x"}}'


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "",
        "[1]",
        '{"type":"answer","key":"00","attempts":[' + ATTEMPT + "]}",
        '{"type":"answer","key":"' + "0" * 32 + '","attempts":[]}',
        '{"type":"answer","key":"' + "0" * 32 + '","attempts":[' + ATTEMPT + "," + ATTEMPT + "]}",
        '{"type":"answer","key":"'
        + "0" * 32
        + '","attempts":[{"attempt":0,"outcome":"ok","at":1}]}',
        '{"type":"answer","key":"'
        + "0" * 32
        + '","attempts":['
        + ATTEMPT.replace("ok", "x")
        + "]}",
        '{"type":"answer","key":"'
        + "0" * 32
        + '","attempts":['
        + ATTEMPT.replace("1.0", "1e999")
        + "]}",
        '{"type":"vector","key":"' + "0" * 32 + '","model":"m","at":1,"vector":"!"}',
        '{"type":"vector","key":"' + "0" * 32 + '","model":"m","at":1,"vector":"AADAfw=="}',
        '{"type":"answer","key":"' + "0" * 32 + '","attempts":[' + ATTEMPT[:-20] + "]}",
    ],
)
def test_a_damaged_line_is_told_by_its_number_and_the_others_are_taken(
    dpipe: Dpipe, project: Project, line: str
) -> None:
    record(project, {b"k" * 16: "a"})
    told(dpipe, "export", "all.jsonl")
    head, whole = Path("all.jsonl").read_text().splitlines()
    other_key = whole.replace((b"k" * 16).hex(), (b"o" * 16).hex())
    Path("mixed.jsonl").write_text("\n".join([head, other_key, line, whole]) + "\n")
    taken = told(dpipe, "import", "mixed.jsonl", code=1)
    assert (taken["answers"], taken["known"]) == (1, 1)
    assert [bad["line"] for bad in taken["damaged"]] == [3]
    assert "mixed.jsonl:3: " in dpipe("cache", "import", "mixed.jsonl").out


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.integers(0, 200))
def test_whatever_a_line_holds_it_is_a_line_or_damaged(junk: bytes, at: int) -> None:
    whole = lines.encoded(
        lines.Answer("0" * 32, (lines.Attempt(0, "ok", 1.0, reply=Reply("half \ud800")),))
    )
    for line in (junk, whole[:at] + junk + whole[at:], whole[:at] + whole[at + len(junk) :]):
        with suppress(ValueError):
            lines.decoded(line)


@pytest.mark.parametrize("more", [b"", b'"\\ud800",'])
def test_a_line_that_is_nested_too_deep_is_damaged(more: bytes) -> None:
    deep = b'{"type":"answer","x":[' + more + b"[" * 200_000
    with pytest.raises(ValueError, match=r"deep|JSON"):
        lines.decoded(deep)


def test_a_line_without_end_is_bounded(
    dpipe: Dpipe, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpipe.runtime.cache.lines.LONGEST", 4096)
    record(project, {b"k" * 16: "a"})
    told(dpipe, "export", "all.jsonl")
    head, whole = Path("all.jsonl").read_text().splitlines()
    Path("long.jsonl").write_text("\n".join([head, "x" * 20_000, whole]) + "\n")
    taken = told(dpipe, "import", "long.jsonl", code=1)
    assert ([bad["line"] for bad in taken["damaged"]], taken["known"]) == ([2], 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"dpipe journal","format":2}\n', "has format 2; this dpipe reads up to 1"),
        ('{"n": 1}\n', "is no exported journal"),
        ("", "is no exported journal"),
    ],
)
def test_what_is_no_export_is_refused(
    dpipe: Dpipe, project: Project, text: str, message: str
) -> None:
    Path("x.jsonl").write_text(text)
    done = dpipe("cache", "import", "x.jsonl")
    assert done.code == 2
    assert message in done.err
    assert not project.journal.exists()


def test_an_export_goes_over_no_other_file(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    before = Path("in.jsonl").read_text()
    assert "is no exported journal" in dpipe("cache", "export", "in.jsonl").err
    assert "cannot be an export" in dpipe("cache", "export", ".dpipe/x.jsonl").err
    assert Path("in.jsonl").read_text() == before
    assert dpipe("cache", "export", "all.jsonl").code == 0
    assert dpipe("cache", "export", "all.jsonl").code == 0


# -- check ---------------------------------------------------------------------------------------


def test_a_whole_journal_is_told_so(dpipe: Dpipe, project: Project) -> None:
    asked(dpipe)
    assert dpipe("cache", "check").out == "3 attempts: all whole\n"
    assert told(dpipe, "check", "--repair")["kept_as"] is None


def test_damaged_entries_are_told_and_can_be_left_out(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"k" * 16: "a", b"o" * 16: "b"})
    changed(project, f"UPDATE attempts SET texts = x'00' WHERE key = x'{(b'k' * 16).hex()}'")
    found = told(dpipe, "check", code=1)
    assert [damage["key"] for damage in found["damaged"]] == [(b"k" * 16).hex()]
    assert "check --repair" in dpipe("cache", "check").out
    assert len(told(dpipe, "check", "--repair")["damaged"]) == 1
    assert told(dpipe, "check")["attempts"] == 1
    assert recalled(project, b"o" * 16)[0].reply == Reply("b")
    assert (project.state / "journal.sqlite.damaged").exists()


def test_a_file_that_was_cut_off_is_repaired_as_far_as_it_goes(
    dpipe: Dpipe, project: Project
) -> None:
    texts = {bytes([at]) * 16: os.urandom(900).hex() for at in range(200)}
    record(project, texts)
    os.truncate(project.journal, project.journal.stat().st_size * 2 // 3)
    done = dpipe("cache", "check")
    assert (done.code, "check --repair" in done.out) == (1, True)
    done = dpipe("run", "p.dpipe")
    assert (done.code, "check --repair" in done.err) == (2, True)
    kept = told(dpipe, "check", "--repair")["attempts"]
    assert 50 < kept < 200
    assert told(dpipe, "check")["attempts"] == kept
    with Journal.open(project.journal, program="p") as journal:
        chains = {key: journal.recall(key) for key in texts}
    assert sum(map(bool, chains.values())) == kept
    assert all(chain[0].reply == Reply(texts[key]) for key, chain in chains.items() if chain)


def test_of_a_file_that_is_no_journal_nothing_can_be_kept(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"k" * 16: "a"})
    project.journal.write_bytes(b"not a database, certainly not one " * 400)
    done = dpipe("cache", "check", "--repair")
    assert done.code == 2
    assert "nothing can be read of" in done.err
    assert project.journal.read_bytes().startswith(b"not a database")
    assert [p.name for p in project.state.glob("*.repaired*")] == []


def test_a_newer_format_is_neither_checked_nor_repaired(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"k" * 16: "a"})
    changed(project, "PRAGMA user_version = 99")
    before = project.journal.read_bytes()
    for args in (["check"], ["check", "--repair"], ["info"], ["prune", "--failed"]):
        done = dpipe("cache", *args)
        assert (done.code, "has format 99" in done.err) == (2, True)
    assert project.journal.read_bytes() == before


def test_no_damaged_file_is_written_over_by_the_next(dpipe: Dpipe, project: Project) -> None:
    for key in (b"k" * 16, b"o" * 16):
        record(project, {key: "a"})
        changed(project, "UPDATE attempts SET texts = x'00'")
        told(dpipe, "check", "--repair")
    kept = sorted(path.name for path in project.state.glob("*.damaged*"))
    assert kept == ["journal.sqlite.damaged", "journal.sqlite.damaged-2"]


@pytest.mark.parametrize("start", range(12))
def test_zeros_anywhere_in_the_file_cost_only_what_they_hit(
    dpipe: Dpipe, project: Project, start: int
) -> None:
    texts = {bytes([at]) * 16: os.urandom(300).hex() for at in range(200)}
    record(project, texts)
    whole = bytearray(project.journal.read_bytes())
    place = 4096 + start * (len(whole) - 8192) // 12
    whole[place : place + 1000] = bytes(1000)
    project.journal.write_bytes(whole)
    if dpipe("cache", "check").code == 0:
        return  # nobody looks at those bytes
    kept = told(dpipe, "check", "--repair")["attempts"]
    assert kept >= 150
    assert told(dpipe, "check")["attempts"] == kept
    with Journal.open(project.journal, program="p") as journal:
        for key, text in texts.items():
            assert [entry.reply for entry in journal.recall(key)] in ([], [Reply(text)])


def test_no_repair_beside_a_run(dpipe: Dpipe, project: Project) -> None:
    record(project, {b"k" * 16: "a"})
    with hold_journal(project.locks):
        assert "a run uses the journal" in dpipe("cache", "check", "--repair").err


# -- an older format -----------------------------------------------------------------------------


def test_a_journal_of_the_first_format_is_taken_over(dpipe: Dpipe, project: Project) -> None:
    from dpipe.runtime.stored import pack, seal

    project.prepare()
    key = b"k" * 16
    with closing(sqlite3.connect(project.journal)) as old:
        old.executescript(
            "CREATE TABLE runs (number INTEGER PRIMARY KEY, id TEXT NOT NULL, program TEXT NOT"
            " NULL, began REAL NOT NULL, ended REAL) STRICT;"
            "CREATE TABLE attempts (key BLOB NOT NULL, attempt INTEGER NOT NULL, run INTEGER NOT"
            " NULL, outcome TEXT NOT NULL, model TEXT NOT NULL, max_tokens INTEGER, at REAL NOT"
            " NULL, texts BLOB NOT NULL) STRICT;"
            "CREATE UNIQUE INDEX attempt_of_key ON attempts (key, attempt);"
            "CREATE TABLE vectors (key BLOB NOT NULL, vector BLOB NOT NULL) STRICT;"
            "CREATE UNIQUE INDEX vector_of_key ON vectors (key);"
            "INSERT INTO runs VALUES (1, 'r', 'p.dpipe', 1, 2);"
            f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1;"
        )
        sealed = seal(key, pack("", Reply("old")))
        old.execute("INSERT INTO attempts VALUES (?, 0, 1, 'ok', 'm', NULL, 1.5, ?)", (key, sealed))
        old.execute("INSERT INTO vectors VALUES (?, ?)", (b"v" * 16, seal(b"v" * 16, b"abcd")))
        old.commit()
    assert recalled(project, key)[0].reply == Reply("old")
    info = told(dpipe, "info")
    assert (info["format"], info["answers"], info["vectors"], info["unused"]) == (2, 1, 1, None)
    assert told(dpipe, "check")["vectors"] == 1
    assert told(dpipe, "prune", "--older-than", "1d")["vectors"] == 0


# -- helpers -------------------------------------------------------------------------------------


def with_journal(project: Project, work: Callable[[Journal], object]) -> None:
    project.prepare()
    with Journal.open(project.journal, program="p.dpipe") as journal:
        journal.begin_run("r")
        work(journal)
        journal.end_run()


def record(
    project: Project,
    texts: dict[bytes, str],
    model: str = "m",
    outcome: str = "ok",
    **reply: Any,
) -> None:
    async def main(journal: Journal) -> None:
        for key, text in texts.items():
            await journal.record(
                key, 0, outcome=outcome, reply=Reply(text, **reply), model=model, prompt="tell"
            )

    with_journal(project, lambda journal: trio.run(main, journal))


def recalled(project: Project, key: bytes) -> list[Any]:
    with Journal.open(project.journal, program="p.dpipe") as journal:
        return journal.recall(key)
