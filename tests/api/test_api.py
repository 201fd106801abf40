"""dpipe from Python: a script, a trio program, a notebook."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
import trio

import dpipe
from dpipe.beside import run_beside
from dpipe.runtime.events import AnyEvent, RunEnded

PROGRAM = """dpipe 1

param least: int = 2

source docs: { n: int } = jsonl("in.jsonl")

flow kept = docs | where(.n >= least)

sink out = kept | jsonl("out.jsonl")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "p.dpipe"
    file.write_text(PROGRAM)
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    return file


def numbers(program: Path) -> list[int]:
    lines = (program.parent / "out.jsonl").read_text().splitlines()
    return [json.loads(line)["n"] for line in lines]


def test_check_gives_findings_as_values(program: Path) -> None:
    assert dpipe.check(program)
    program.write_text(PROGRAM.replace(".n >=", ".m >="))
    result = dpipe.check(program)
    assert not result
    [finding] = result.diagnostics
    assert (finding.code, finding.severity) == ("E0306", "error")
    assert "the row has no field `m`" in str(result)


def test_what_names_no_file_is_a_usage_error() -> None:
    with pytest.raises(dpipe.UsageError, match="no file `a"):
        dpipe.check("a\0b")


def test_compile_gives_the_graph(program: Path) -> None:
    compiled = dpipe.compile(program)
    assert compiled.graph is not None
    assert [param.name for param in compiled.graph.params] == ["least"]


def test_a_script_runs_a_program(program: Path) -> None:
    result = dpipe.run(program, params={"least": 3}, sample=3)
    assert (result.status, result.exit_code) == ("done", 0)
    assert numbers(program) == [3]


def test_a_trio_program_runs_one_in_its_own_loop(program: Path) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"await dpipe\.run_async"):
            dpipe.run(program)
        result = await dpipe.run_async(program)
        assert result.status == "done"

    trio.run(main)
    assert numbers(program) == [2, 3]


def test_a_notebook_with_a_running_loop_runs_one(program: Path) -> None:
    async def cell() -> dpipe.RunResult:
        return dpipe.run(program, params={"least": 1})

    assert asyncio.run(cell()).status == "done"
    assert numbers(program) == [1, 2, 3]


def test_what_goes_wrong_in_a_notebook_is_raised_there(program: Path) -> None:
    async def cell() -> None:
        dpipe.run(program, params={"leest": 1})

    with pytest.raises(dpipe.UsageError, match="has no param `leest`"):
        asyncio.run(cell())


def test_ctrl_c_in_a_notebook_stops_the_run() -> None:
    stopped: list[bool] = []

    async def endless() -> dpipe.RunResult:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(True)
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        run_beside(endless)
    assert stopped == [True]


def test_observers_see_every_event(program: Path) -> None:
    seen: list[AnyEvent] = []
    dpipe.run(program, observers=[seen.append])
    assert isinstance(seen[-1], RunEnded)


def test_a_program_with_errors_is_an_exception_with_the_findings(program: Path) -> None:
    program.write_text(PROGRAM.replace(".n >=", ".m >="))
    with pytest.raises(dpipe.ProgramError) as raised:
        dpipe.run(program)
    assert raised.value.message == "the program has 1 error"
    assert "error[E0306]" in str(raised.value)
    assert isinstance(raised.value, dpipe.UsageError)


def test_a_setting_that_is_none_is_an_error(program: Path) -> None:
    with pytest.raises(dpipe.UsageError, match="there is no setting `sampel`") as raised:
        dpipe.run(program, sampel=3)
    assert raised.value.hint == "did you mean `sample`?"


def test_an_asyncio_program_is_told_what_to_call(program: Path) -> None:
    async def main() -> None:
        await dpipe.run_async(program)

    with pytest.raises(RuntimeError, match=r"needs trio; .* call `dpipe\.run"):
        asyncio.run(main())


def test_a_program_may_be_run_from_any_folder(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    dpipe.run(os.path.relpath(program, elsewhere))
    assert numbers(program) == [2, 3]
    assert list(elsewhere.iterdir()) == []
