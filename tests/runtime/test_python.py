"""Python behind a program: whose may run, and what its failures are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dpipe
from dpipe.runtime.errors import UsageError

PROGRAM = """dpipe 1
extern def known(text: str) -> bool = python("checks.py:known")
extern def size(text: str) -> int = python("checks.py:size")
source words: { w: str } = rows([{ w: "apple" }, { w: "box" }, { w: "" }])
sink out = words | where(known(.w)) | set(n: size(.w)) | jsonl("out.jsonl")
"""
CHECKS = """
from pathlib import Path
Path(__file__).with_name("ran").touch()

def known(text: str) -> bool:
    return text != "box"

def size(text: str) -> int:
    return 10 // len(text) if text else 1 // 0
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "checks.py").write_text(CHECKS)
    path = tmp_path / "p.dpipe"
    path.write_text(PROGRAM)
    return path


def test_a_programs_own_python_waits_for_the_users_leave(program: Path) -> None:
    with pytest.raises(UsageError, match="runs Python of its own") as refused:
        dpipe.run(program)
    assert "--allow-python" in (refused.value.hint or "")
    assert not program.with_name("ran").exists()


def test_a_param_cannot_run_it_either(program: Path) -> None:
    program.write_text(
        PROGRAM + 'param k: bool = known("x")\nsink b = words | set(k: k) | csv("b.csv")\n'
    )
    with pytest.raises(UsageError, match="runs Python of its own"):
        dpipe.run(program)
    assert not program.with_name("ran").exists()


def test_a_function_of_a_package_is_no_safer_than_a_file(program: Path) -> None:
    program.write_text(PROGRAM.replace("checks.py:known", "os.path:exists"))
    with pytest.raises(UsageError, match=r"os\.path:exists"):
        dpipe.run(program)


def test_what_it_raises_is_the_rows_reason(program: Path) -> None:
    result = dpipe.run(program, allow_python=True)
    rows = [json.loads(line) for line in (program.parent / "out.jsonl").read_text().splitlines()]
    assert rows == [{"w": "apple", "n": 2}]
    assert result.exit_code == 1
    reject = json.loads((program.parent / "out.rejects.jsonl").read_text())
    assert "`checks.py:size` failed in line 9: ZeroDivisionError" in reject["message"].replace(
        str(program.parent) + "/", ""
    )


def test_a_trusted_folder_needs_no_leave(program: Path) -> None:
    (program.parent / "dpipe.toml").write_text('trust = ["."]\n')
    assert dpipe.run(program).exit_code == 1


PIPE = """dpipe 1
extern pipe pairs(rows: flow[{ w: str }], size: int = 2) -> { ws: [str] } = python("pipes.py:pairs")
source words: { w: str } = rows([{ w: "a" }, { w: "b" }, { w: "c" }, { w: "d" }, { w: "e" }])
sink out = words | pairs(size: 2) | set(n: len(.ws)) | jsonl("out.jsonl")
"""
PAIRS = """
async def pairs(rows, size):
    held = []
    async for row in rows:
        held.append(row["w"])
        if len(held) == size:
            yield {"ws": held}
            held = []
    yield {"ws": LAST}
"""


def _pipe(folder: Path, last: str) -> Path:
    (folder / "pipes.py").write_text(PAIRS.replace("LAST", last))
    path = folder / "q.dpipe"
    path.write_text(PIPE)
    return path


def test_a_pipe_takes_rows_and_gives_rows(tmp_path: Path) -> None:
    result = dpipe.run(_pipe(tmp_path, "held"), allow_python=True)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows == [{"ws": ["a", "b"], "n": 2}, {"ws": ["c", "d"], "n": 2}, {"ws": ["e"], "n": 1}]
    node = next(node for node in result.nodes if "pairs" in node.label)
    assert (node.entered, node.passed, node.left) == (5, 5, 3)


def test_a_row_that_a_pipe_should_not_give_is_a_reject(tmp_path: Path) -> None:
    result = dpipe.run(_pipe(tmp_path, "3"), allow_python=True)
    assert result.exit_code == 1
    reject = json.loads((tmp_path / "out.rejects.jsonl").read_text())
    assert reject["message"] == ".ws: expected [str], found 3"


def test_a_pipe_that_fails_stops_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="failed in line 9: ZeroDivisionError"):
        dpipe.run(_pipe(tmp_path, "1 // 0"), allow_python=True)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_pipe_of_python_waits_for_leave_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="runs Python of its own"):
        dpipe.run(_pipe(tmp_path, "held"))


def test_rows_that_a_pipe_does_not_take_are_told(tmp_path: Path) -> None:
    path = _pipe(tmp_path, "held")
    path.write_text(PIPE.replace("words | pairs", "words | drop(.w) | pairs"))
    assert [d.code for d in dpipe.check(path).diagnostics] == ["E0514"]


OWN = """dpipe 1
extern source numbers(n: int, start: int = 5) -> { i: int } = python("own.py:numbers")
extern metric most(value: int, floor: int = 7) -> int = python("own.py:Most")
source xs = numbers(3)
sink rows = xs | jsonl("rows.jsonl")
sink figures = xs | report("figures.json", most: most(.i))
"""
OWN_PYTHON = """
async def numbers(n, start):
    for i in range(n):
        yield {"i": start + i}
    BODY

class Most:
    def __init__(self, floor):
        self.found = floor

    def add(self, value):
        self.found = max(self.found, value)

    def result(self):
        return self.found
"""


def _own(folder: Path, body: str = "pass") -> Path:
    (folder / "own.py").write_text(OWN_PYTHON.replace("BODY", body))
    path = folder / "own.dpipe"
    path.write_text(OWN)
    return path


def test_declared_defaults_are_given(tmp_path: Path) -> None:
    assert dpipe.run(_own(tmp_path), allow_python=True).exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == [{"i": 5}, {"i": 6}, {"i": 7}]
    assert json.loads((tmp_path / "figures.json").read_text()) == {"most": 7}


def test_a_source_is_held_to_the_rows_that_it_declares(tmp_path: Path) -> None:
    result = dpipe.run(_own(tmp_path, 'yield {"i": "x"}'), allow_python=True)
    assert result.exit_code == 1
    reject = json.loads((tmp_path / "rows.rejects.jsonl").read_text())
    assert reject["message"] == '.i: expected int, found "x"'


def test_a_source_that_fails_is_told_as_the_users_python(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"own\.py:numbers` failed in line 5: KeyError"):
        dpipe.run(_own(tmp_path, 'raise KeyError("a")'), allow_python=True)


def test_a_source_that_gives_no_rows_is_told(tmp_path: Path) -> None:
    path = _own(tmp_path)
    (tmp_path / "own.py").write_text(
        "def numbers(n, start):\n    return [n]\n\n" + OWN_PYTHON[OWN_PYTHON.index("class") :]
    )
    with pytest.raises(UsageError, match="gives list, not rows"):
        dpipe.run(path, allow_python=True)


@pytest.mark.parametrize("found", ['"x"', "None", "2.5"])
def test_a_metric_is_held_to_the_type_that_it_declares(tmp_path: Path, found: str) -> None:
    path = _own(tmp_path)
    text = (tmp_path / "own.py").read_text().replace("return self.found", f"return {found}")
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UsageError, match=r"own\.py:Most` gave does not fit: expected int, found"):
        dpipe.run(path, allow_python=True)
    assert not (tmp_path / "figures.json").exists()


def test_a_metric_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    path = _own(tmp_path)
    text = (tmp_path / "own.py").read_text().replace("return self.found", "return self.lost")
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UsageError, match=r"own\.py:Most` failed in line 15: AttributeError"):
        dpipe.run(path, allow_python=True)


SHEETS = """
class Sheet:
    def __init__(self, out, row):
        self.out = out

    def put(self, record):
        self.put_all([record])

    def put_all(self, records):
        for record in records:
            self.out.write(str(record["index"]).encode() + b"\\n")

    def close(self):
        pass
"""


def test_a_method_that_a_users_sink_has_for_itself_is_not_called(tmp_path: Path) -> None:
    (tmp_path / "sheet.py").write_text(SHEETS)
    file = tmp_path / "a.dpipe"
    file.write_text(
        "dpipe 1\n\n"
        'extern sink sheet(rows: flow[{ index: int }], path: str) = python("sheet.py:Sheet")\n\n'
        "source many = repeat(2000)\n\n"
        'sink out = many | sheet("out.txt")\n'
    )
    assert dpipe.run(file, allow_python=True, progress="none").exit_code == 0
    assert (tmp_path / "out.txt").read_text().split() == [str(n) for n in range(2000)]
