"""What is kept of a run, and how runs are found again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from dpipe.runtime import events, record
from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import (
    CallEnded,
    EventsFile,
    ModelCount,
    NodeCount,
    Observers,
    Progress,
    RowRejected,
    RunEnded,
    RunStarted,
    SinkWritten,
)
from dpipe.runtime.git import revision_of
from dpipe.runtime.models.protocol import Usage
from dpipe.runtime.record import Project, find_project, list_runs, resolve_run
from dpipe.runtime.recorder import RunFolder
from dpipe.runtime.secrets import Secret
from dpipe.runtime.settings import Settings

NODES = (NodeCount("docs", 5, 3, 3, {"filtered": 1, "failed:empty": 1}),)
MODELS = (ModelCount("gen", 4, 100, 200, None),)
STARTED = RunStarted(elapsed=0, id="x", program="qa.dpipe", params={"n": 3}, sinks=("o.jsonl",))
CALL = CallEnded(elapsed=1, model="gen", outcome="ok", latency=0.2, usage=Usage(1, 2))
REJECTED = RowRejected(elapsed=1, stage="pairs: ask", outcome="empty", message="m", place="d:1")
PROGRESS = Progress(elapsed=1, nodes=NODES, models=MODELS, share=0.5)
WRITTEN = SinkWritten(elapsed=2, path="out/train.jsonl", rows=3)
ENDED = RunEnded(elapsed=2.5, status="rows lost", exit_code=1, nodes=NODES, models=MODELS)
ALL_EVENTS = (STARTED, CALL, REJECTED, PROGRESS, WRITTEN, ENDED)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return find_project(tmp_path / "qa.dpipe")


def begin(project: Project, **facts: Any) -> RunFolder:
    given: dict[str, Any] = {
        "program": project.root / "qa.dpipe",
        "modules": {"qa.dpipe": "dpipe 1\n"},
        "params": {},
        "settings": Settings(),
        "models": {},
        "version": "0.1.0",
    }
    return RunFolder.begin(project, **given | facts)


def finished(project: Project) -> RunFolder:
    with begin(project) as run:
        run(WRITTEN)
        run(ENDED)
    return run


def refusal(project: Project, text: str) -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        resolve_run(project, text)
    return caught.value.message, caught.value.hint


# -- the project ---------------------------------------------------------------------------------


def test_a_project_is_the_program_s_folder(tmp_path: Path) -> None:
    project = find_project(tmp_path / "a" / "qa.dpipe")
    assert project.root == tmp_path / "a"
    assert project.state == tmp_path / "a" / ".dpipe"


def test_a_project_with_a_settings_file_begins_there(tmp_path: Path) -> None:
    (tmp_path / "dpipe.toml").touch()
    assert find_project(tmp_path / "a" / "b" / "qa.dpipe").root == tmp_path


def test_the_state_folder_keeps_itself_out_of_git(project: Project) -> None:
    project.prepare()
    project.prepare()
    assert (project.state / ".gitignore").read_text() == "*\n"


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".dpipe").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        find_project(tmp_path / "qa.dpipe").prepare()


# -- a run's folder ------------------------------------------------------------------------------


def test_a_run_that_goes_on_keeps_its_events_with_each_progress(project: Project) -> None:
    with begin(project) as run:
        for event in (STARTED, REJECTED, PROGRESS):
            run(event)
        assert list(record.read_events(run.path)) == [STARTED, REJECTED]


def test_events_end_at_a_line_that_was_cut_off(project: Project) -> None:
    run = finished(project)
    kept = run.path / "events.jsonl"
    kept.write_bytes(kept.read_bytes()[:-20])
    assert list(record.read_events(run.path)) == [WRITTEN]
    kept.unlink()
    assert list(record.read_events(run.path)) == []


def test_the_files_of_rejects_are_kept_with_the_end(project: Project) -> None:
    with begin(project) as run:
        run(msgspec.structs.replace(ENDED, rejects={"o.rejects.jsonl": 2}, recalled=5))
    result = record.read_result(run.path)
    assert (result.rejects, result.recalled) == ({"o.rejects.jsonl": 2}, 5)


def test_a_run_is_recorded_from_its_first_moment(project: Project) -> None:
    modules = {"qa.dpipe": 'dpipe 1\nimport "../lib/m.dpipe" as m\n', "../lib/m.dpipe": "dpipe 1"}
    settings = Settings(seed=7, max_errors="5%")
    with begin(project, modules=modules, params={"n": 3}, settings=settings) as run:
        kept = record.read_record(run.path)
        assert kept.id == run.id
        assert kept.program == "qa.dpipe"
        assert kept.params == {"n": 3}
        assert kept.settings == settings
        assert kept.process == os.getpid()
        for name, place in kept.modules.items():
            assert (run.path / "program" / place).read_text() == modules[name]
        assert list_runs(project)[0].status == "running"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("qa.dpipe", "qa.dpipe"),
        ("lib/m.dpipe", "lib/m.dpipe"),
        ("../m.dpipe", "_up/m.dpipe"),
        ("/else/m.dpipe", "else/m.dpipe"),
        ("<std>/text.dpipe", "std/text.dpipe"),
        ("ROOT/lib/m.dpipe", "lib/m.dpipe"),
    ],
)
def test_every_module_lies_inside_the_record(project: Project, name: str, place: str) -> None:
    name = name.replace("ROOT", str(project.root))
    with begin(project, modules={name: "dpipe 1"}) as run:
        assert record.read_record(run.path).modules == {name: place}


def test_modules_with_one_place_are_both_kept(project: Project) -> None:
    modules = {"../m.dpipe": "one", "_up/m.dpipe": "two"}
    with begin(project, modules=modules) as run:
        texts = {path.read_text() for path in (run.path / "program").rglob("*.dpipe")}
    assert texts == {"one", "two"}


def test_a_secret_is_in_no_file_of_the_record(project: Project) -> None:
    key = Secret("sk-very-secret", "LLM_KEY")
    with begin(project, params={"key": key}, models={"gen": {"key": key}}) as run:
        run(msgspec.structs.replace(STARTED, params={"key": "***"}))
        run(ENDED)
        assert record.read_record(run.path).params == {"key": "***"}
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"sk-very-secret" in path.read_bytes() for path in files)


def test_the_end_of_a_run_is_recorded_from_its_events(project: Project) -> None:
    run = finished(project)
    result = record.read_result(run.path)
    assert (result.status, result.exit_code, result.seconds) == ("rows lost", 1, 2.5)
    assert result.sinks == {"out/train.jsonl": 3}
    assert result.models[0].output_tokens == 200
    [node] = record.read_ledger(run.path).nodes
    assert node.reasons == {"filtered": 1, "failed:empty": 1}
    assert list_runs(project)[0].status == "rows lost"


def test_the_record_s_events_leave_out_calls_and_progress(project: Project) -> None:
    with begin(project) as run:
        for event in ALL_EVENTS:
            run(event)
    lines = (run.path / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds == ["run_started", "row_rejected", "sink_written", "run_ended"]


def test_a_run_that_was_killed_is_cut_off(project: Project) -> None:
    script = (
        "import sys; from pathlib import Path; from dpipe.runtime.recorder import *;"
        "from dpipe.runtime.record import find_project;"
        "p = find_project(Path(sys.argv[1])); run = RunFolder.begin(p, program=Path(sys.argv[1]),"
        "modules={}, params={}, settings=Settings(), models={}, version='0');"
        "print(run.id, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, project.root / "qa.dpipe"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [run.status for run in list_runs(project)] == ["running"]
        process.send_signal(signal.SIGKILL)
    assert [run.status for run in list_runs(project)] == ["cut off"]


def test_a_run_whose_record_cannot_be_written_leaves_nothing(project: Project) -> None:
    with pytest.raises(UsageError, match="cannot be written: File name too long"):
        begin(project, modules={"m" * 300: "dpipe 1"})
    assert list(project.runs.iterdir()) == []


def test_names_that_are_no_utf8_are_recorded(project: Project) -> None:
    name = os.fsdecode(b"caf\xe9.dpipe")
    with begin(project, program=project.root / name, params={"path": name}) as run:
        run(msgspec.structs.replace(WRITTEN, path=name))
        run(ENDED)
    assert record.read_record(run.path).params == {"path": "caf?.dpipe"}
    assert list(record.read_result(run.path).sinks.values()) == [3]
    assert b"caf?.dpipe" in (run.path / "events.jsonl").read_bytes()


# -- finding runs --------------------------------------------------------------------------------


def test_a_run_is_named_by_its_id_its_beginning_or_last(project: Project) -> None:
    first, second = finished(project), finished(project)
    assert resolve_run(project, first.id) == first.path
    assert resolve_run(project, second.id[:-1]) in (first.path, second.path)
    assert resolve_run(project, "last") == second.path
    assert [run.id for run in list_runs(project)] == [first.id, second.id]


def test_an_id_is_readable_and_sorts_by_time(project: Project) -> None:
    run = finished(project)
    began = record.read_record(run.path).began
    assert run.id[:15] == began.strftime("%Y%m%d-%H%M%S")
    assert len(run.id) == 20


def test_a_name_that_fits_no_run_is_told(project: Project) -> None:
    assert refusal(project, "last") == (f"no run is recorded in `{project.state}`", None)
    run = finished(project)
    for text in ("1999", "", "../runs", "LAST"):
        assert refusal(project, text) == (
            f"there is no run `{text}`",
            f"the last one is `{run.id}`",
        )


def test_a_beginning_that_several_runs_have_is_told(project: Project) -> None:
    names = sorted(run.id for run in (finished(project), finished(project)))
    message, hint = refusal(project, "2")
    assert message == "`2` is the beginning of 2 runs"
    assert hint is not None
    assert all(name in hint for name in names)


def test_a_damaged_run_is_listed_and_hides_no_other(project: Project) -> None:
    damaged, whole = finished(project), finished(project)
    (damaged.path / "run.json").write_text("{}")
    statuses = {run.id: run.status for run in list_runs(project)}
    assert statuses == {damaged.id: "unreadable", whole.id: "rows lost"}
    with pytest.raises(UsageError, match="damaged or of another dpipe"):
        record.read_record(damaged.path)


# -- git -----------------------------------------------------------------------------------------


def git(folder: Path, *args: str) -> str:
    config = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *config, *args], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_folder_outside_git_has_no_revision(tmp_path: Path) -> None:
    assert revision_of(tmp_path) is None


def test_a_revision_tells_whether_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "one")
    clean = revision_of(tmp_path)
    (tmp_path / "a").write_text("2")
    changed = revision_of(tmp_path)
    assert clean is not None
    assert changed is not None
    assert clean.commit == changed.commit == git(tmp_path, "rev-parse", "HEAD")
    assert (clean.dirty, changed.dirty) == (False, True)


def test_without_git_there_is_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision_of(Path.cwd()) is None


# -- events and schemas --------------------------------------------------------------------------


def test_every_event_is_a_line_that_fits_the_published_schema(tmp_path: Path) -> None:
    file = EventsFile(tmp_path / "events.jsonl")
    observers = Observers(file)
    for event in ALL_EVENTS:
        observers(event)
    file.close()
    lines = file.path.read_bytes().splitlines()
    validator = jsonschema.Draft202012Validator(events.json_schema())
    assert [msgspec.json.decode(line, type=events.AnyEvent) for line in lines] == list(ALL_EVENTS)
    for line in lines:
        validator.validate(json.loads(line))
    assert not validator.is_valid({"type": "call_ended"})


def test_progress_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    file = EventsFile(tmp_path / "events.jsonl")
    file(CALL)
    file(PROGRESS)
    assert len(file.path.read_bytes().splitlines()) == 2
    file.close()


def test_an_events_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        EventsFile(tmp_path)


def test_observers_are_told_in_their_order() -> None:
    told: list[str] = []
    observers = Observers(lambda _: told.append("first"))
    observers.add(lambda _: told.append("second"))
    observers(CALL)
    assert told == ["first", "second"]


def test_the_files_of_a_record_fit_the_published_schemas(project: Project) -> None:
    with begin(project, params={"n": [1, {"a": None}]}) as run:
        for event in ALL_EVENTS:
            run(event)
    for name, schema in record.json_schemas().items():
        for line in (run.path / name).read_text().splitlines() if "jsonl" in name else [None]:
            text = (run.path / name).read_text() if line is None else line
            jsonschema.Draft202012Validator(schema).validate(json.loads(text))
