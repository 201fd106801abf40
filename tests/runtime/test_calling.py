"""Functions of a user's own that are waited for: recorded, async, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dpipe.runtime.errors import UsageError
from tests.runtime.programs import Folder

TOOLS = """
from pathlib import Path

HERE = Path(__file__).parent

def count(name):
    with open(HERE / name, "a") as calls:
        calls.write("x")

def search(query: str) -> list:
    count("searches")
    if query == "none":
        raise LookupError("nothing found")
    return [query, query.upper()]
"""
SEARCH = """dpipe 1
extern def search(query: str) -> [str] = python("tools.py:search", record: true)
source words: { w: str } = rows([{ w: "a" }, { w: "b" }, { w: "a" }])
"""
FOUND = SEARCH + 'sink out = words | set(found: search(.w)) | jsonl("out.jsonl")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write("dpipe.toml", 'trust = ["."]\n')
    made.write("tools.py", TOOLS)
    return made


def calls(folder: Folder, name: str = "searches") -> int:
    path = folder.root / name
    return len(path.read_text()) if path.exists() else 0


def run(folder: Folder, text: str, *, replay: bool = False) -> list[dict[str, object]]:
    folder.run(text, replay=replay, allow_python=True)
    return folder.read("out.jsonl")


def test_equal_calls_are_made_once_and_not_again_in_later_runs(folder: Folder) -> None:
    rows = run(folder, FOUND)
    assert rows == [
        {"w": "a", "found": ["a", "A"]},
        {"w": "b", "found": ["b", "B"]},
        {"w": "a", "found": ["a", "A"]},
    ]
    assert calls(folder) == 2
    assert run(folder, FOUND) == rows
    assert calls(folder) == 2


def test_a_replay_makes_no_call(folder: Folder) -> None:
    rows = run(folder, FOUND)
    more = FOUND.replace('{ w: "b" }', '{ w: "b" }, { w: "c" }')
    assert run(folder, more, replay=True) == rows
    assert calls(folder) == 2
    [reject] = folder.read("out.rejects.jsonl")
    assert "a replay, and the journal has no answer to this" in reject["message"]


def test_a_failure_is_no_answer(folder: Folder) -> None:
    text = FOUND.replace('{ w: "b" }', '{ w: "none" }, { w: "none" }')
    result = folder.run(text, allow_python=True)
    assert result.exit_code == 1
    first = folder.read("out.rejects.jsonl")
    assert [each["row"] for each in first] == [{"w": "none"}] * 2
    assert "tools.py:search` failed in line 13: LookupError: nothing found" in first[0]["message"]
    assert calls(folder) == 2, "equal calls of one run share what came of it"
    folder.run(text, allow_python=True, replay=True)
    assert folder.read("out.rejects.jsonl") == first
    assert calls(folder) == 2
    folder.run(text, allow_python=True)
    assert calls(folder) == 3


def test_another_layout_comment_or_function_asks_nothing_again(folder: Folder) -> None:
    run(folder, FOUND)
    folder.write(
        "tools.py",
        TOOLS.replace("def search(query: str)", "def search( query : str )  ").replace(
            'count("searches")', '"""Says."""\n    count("searches")  # so'
        )
        + "\ndef other(): ...\n",
    )
    run(folder, FOUND)
    assert calls(folder) == 2


def test_an_edited_function_is_asked_again(folder: Folder) -> None:
    run(folder, FOUND)
    folder.write("tools.py", TOOLS.replace("query.upper()", "query * 3"))
    assert run(folder, FOUND)[0] == {"w": "a", "found": ["a", "aaa"]}
    assert calls(folder) == 4


def test_another_declared_type_reads_the_answer_anew(folder: Folder) -> None:
    folder.run(FOUND.replace("-> [str]", "-> [int]"), allow_python=True)
    assert "gave no [int]: [0]: expected int" in folder.read("out.rejects.jsonl")[0]["message"]
    assert run(folder, FOUND)[1]["found"] == ["b", "B"]
    assert calls(folder) == 2


@pytest.mark.parametrize(
    "flow",
    [
        "where(len(search(.w)) == 2) | set(found: search(.w))",
        'set(found: if .w == "b" then search(.w) else search(concat(.w, "")))',
        "set(found: first([.w] | map(w -> search(w))))",
        "sort(first(search(.w))) | set(found: search(.w))",
        "limit(3, per: first(search(.w))) | set(found: search(.w))",
    ],
)
def test_a_recorded_function_stands_wherever_a_def_may(folder: Folder, flow: str) -> None:
    flow = flow.replace('concat(.w, "")', "trim(.w)").replace(
        "[.w] | map(w -> search(w))", "map([.w], w -> search(w))"
    )
    rows = run(folder, SEARCH + f'sink out = words | {flow} | jsonl("out.jsonl")\n')
    assert {(row["w"], row["found"][0]) for row in rows} == {("a", "a"), ("b", "b")}
    assert calls(folder) == 2


def test_an_ask_and_a_sink_may_call_it(folder: Folder) -> None:
    text = (
        SEARCH
        + """
model m = openai("m", url: "simulated:")
prompt answer(found: str) -> str { user: "{found}" }
flow asked = words | ask(answer(found: first(search(.w))), using: m, as: .a, when: .w != "b")
sink out = asked | alpaca("out.jsonl", instruction: .w, output: first(search(.w)))
sink sizes = asked | report("sizes.json", n: sum(len(search(.w))))
"""
    )
    folder.run(text, allow_python=True)
    assert [row["output"] for row in folder.read("out.jsonl")] == ["a", "b", "a"]
    assert json.loads((folder.root / "sizes.json").read_text()) == {"n": 6}
    assert calls(folder) == 2


def test_what_when_spares_is_not_called(folder: Folder) -> None:
    text = (
        SEARCH
        + """
model m = openai("m", url: "simulated:")
prompt answer(found: str) -> str { user: "{found}" }
sink out = words
  | ask(answer(found: first(search(.w))), using: m, as: .a, when: .w != "b")
  | jsonl("out.jsonl")
"""
    )
    assert [row["a"] is None for row in run(folder, text)] == [False, True, False]
    assert calls(folder) == 1


SLOW = """
import threading
import trio

met = threading.Barrier(3)

def meet(w: str) -> str:
    met.wait(timeout=5)
    return w

arrived = 0

async def gather(w: str) -> str:
    global arrived
    arrived += 1
    with trio.fail_after(5):
        while arrived < 3:
            await trio.sleep(0.001)
    return w
"""


@pytest.mark.parametrize("call", ['meet", concurrency: 3', 'gather"'])
def test_calls_that_are_waited_for_run_side_by_side_in_order(folder: Folder, call: str) -> None:
    folder.write("slow.py", SLOW)
    text = f"""dpipe 1
extern def f(w: str) -> str = python("slow.py:{call})
source words: {{ w: str }} = rows([{{ w: "a" }}, {{ w: "b" }}, {{ w: "c" }}])
sink out = words | set(x: f(.w)) | jsonl("out.jsonl")
"""
    assert [row["x"] for row in run(folder, text)] == ["a", "b", "c"]


def test_a_limit_that_is_full_leaves_the_rest_uncalled(folder: Folder) -> None:
    rows = ", ".join(f'{{ w: "{n}" }}' for n in range(200))
    text = f"""dpipe 1
extern def search(query: str) -> [str] = python("tools.py:search", record: true)
source words: {{ w: str }} = rows([{rows}])
sink out = words | set(found: search(.w)) | limit(3) | jsonl("out.jsonl")
"""
    assert [row["w"] for row in run(folder, text)] == ["0", "1", "2"]
    assert calls(folder) < 40


def test_a_constant_calls_an_async_function_too(folder: Folder) -> None:
    folder.write("slow.py", "async def name(of: str) -> str:\n    return of + '.jsonl'\n")
    folder.write("in.jsonl", '{"w": "a"}\n')
    text = """dpipe 1
extern def name(of: str) -> str = python("slow.py:name")
source words: { w: str } = jsonl(name("in"))
sink out = words | jsonl("out.jsonl")
"""
    assert run(folder, text) == [{"w": "a"}]


def test_what_json_cannot_hold_is_a_failure_of_its_row(folder: Folder) -> None:
    folder.write("tools.py", "def search(query):\n    return {query}\n")
    folder.run(FOUND, allow_python=True)
    [first, *_] = folder.read("out.rejects.jsonl")
    assert first["message"].endswith(
        'search` gave what cannot be kept: expected a JSON value, found ["a"]'
    )


def test_python_that_cannot_be_loaded_is_told_in_one_line(folder: Folder) -> None:
    folder.write("tools.py", TOOLS + "\nint('x')\n")
    with pytest.raises(
        UsageError, match=r"search\"\)` cannot be loaded: ValueError: .* in line 16"
    ):
        folder.run(FOUND, allow_python=True)


def test_a_function_that_ends_the_process_ends_its_row(folder: Folder) -> None:
    folder.write("tools.py", "import sys\ndef search(query):\n    sys.exit(5)\n")
    for text in (FOUND, FOUND.replace(", record: true", "")):
        assert folder.run(text, allow_python=True).exit_code == 1
        assert "failed in line 3: SystemExit: 5" in folder.read("out.rejects.jsonl")[0]["message"]


KILLED = """
import os, sqlite3

def answered():
    with sqlite3.connect(HERE / ".dpipe" / "journal.sqlite") as journal:
        return journal.execute("SELECT count(*) FROM attempts").fetchone()[0]
"""
KILLS = """
    if query == "c" and not (HERE / "again").exists():
        (HERE / "again").touch()
        while answered() < 2:
            pass
        os._exit(9)
    if query == "none"
"""


def test_a_run_that_is_killed_keeps_what_was_answered(folder: Folder) -> None:
    folder.write("tools.py", TOOLS.replace('\n    if query == "none"', KILLS.rstrip()) + KILLED)
    text = SEARCH.replace("record: true", "record: true, concurrency: 2")
    text = text.replace('{ w: "a" }])', '{ w: "c" }])')
    text += 'sink out = words | set(found: search(.w)) | jsonl("out.jsonl")\n'
    folder.write("main.dpipe", text)
    command = "import sys; from dpipe.cli.main import main; sys.exit(main(sys.argv[1:]))"
    started = [sys.executable, "-c", command, "run", "main.dpipe", "--allow-python"]
    assert subprocess.run(started, cwd=folder.root, capture_output=True).returncode == 9
    assert calls(folder) == 3
    assert [row["w"] for row in run(folder, text)] == ["a", "b", "c"]
    assert calls(folder) == 4
