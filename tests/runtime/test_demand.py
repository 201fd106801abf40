"""``limit``: exactly the first rows that qualify, for the calls that they take and a few more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.programs import Folder

ROWS = 400
PROGRAM = """dpipe 1

model gen = openai("m", url: "scripted:answers.jsonl", concurrency: CONCURRENCY)

source docs: { n: int } = jsonl("in.jsonl")

prompt tell(n: int) -> str { user: "<{n}>" }

sink out = docs
  | ask(tell, using: gen, as: .x)
  | where(.x == "yes")
  | limit(LIMIT)
  | jsonl("out.jsonl")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.rows("in.jsonl", [{"n": n} for n in range(ROWS)])
    refused = [{"match": f"<{n}>", "reply": "", "refusal": "no"} for n in range(5, ROWS, 11)]
    good = [{"match": f"<{n}>", "reply": "yes"} for n in qualifying()]
    made.rows("answers.jsonl", [*refused, *good, {"match": "", "reply": "no"}])
    return made


def qualifying() -> list[int]:
    return [n for n in range(ROWS) if n % 3 == 0 and n % 11 != 5]


@pytest.mark.parametrize("concurrency", [1, 4, 32])
@pytest.mark.parametrize("limit", [1, 10, 50])
def test_a_limit_gives_the_first_rows_that_qualify_for_few_calls_more(
    folder: Folder, limit: int, concurrency: int
) -> None:
    program = PROGRAM.replace("CONCURRENCY", str(concurrency)).replace("LIMIT", str(limit))
    result = folder.run(program, canary=0)
    wanted = qualifying()[:limit]
    assert [row["n"] for row in folder.read("out.jsonl")] == wanted
    needed = wanted[-1] + 1
    assert needed <= result.calls <= needed + 4 * concurrency
    rejects = folder.root / "out.rejects.jsonl"
    lost = [row["row"]["n"] for row in folder.read("out.rejects.jsonl")] if rejects.exists() else []
    assert lost == [n for n in range(5, ROWS, 11) if n < needed]


def test_a_second_limit_further_on_asks_only_for_what_is_missing(folder: Folder) -> None:
    program = PROGRAM.replace("CONCURRENCY", "4")
    first = folder.run(program.replace("LIMIT", "10"), canary=0)
    again = folder.run(program.replace("LIMIT", "10"), canary=0)
    refused = len(range(5, qualifying()[9], 11))
    assert again.calls <= refused + 4 * 4
    more = folder.run(program.replace("LIMIT", "20"), canary=0)
    assert len(folder.read("out.jsonl")) == 20
    assert more.calls < first.calls + refused + 4 * 4


def test_what_fails_behind_a_full_limit_is_in_the_rejects_of_the_sink_that_wants_all(
    folder: Folder,
) -> None:
    result = folder.run(
        """dpipe 1
source docs: { n: int } = jsonl("in.jsonl")
flow shares = docs | set(share: 1 / (.n - 300))
sink few = shares | limit(3) | jsonl("few.jsonl")
sink all = shares | jsonl("all.jsonl")
"""
    )
    assert result.rejects == {"all.rejects.jsonl": 1}
    assert [row["row"]["n"] for row in folder.read("all.rejects.jsonl")] == [300]


def test_what_was_not_asked_behind_a_full_limit_is_no_loss_to_a_replay(folder: Folder) -> None:
    program = """dpipe 1
model gen = openai("m", url: "scripted:answers.jsonl", concurrency: 4)
source docs: { n: int } = jsonl("in.jsonl")
prompt tell(n: int) -> str { user: "<{n}>" }
sink out = docs
  | where(.n % 11 != 5)
  | ask(tell, using: gen, as: .x)
  | ask(tell, using: gen, as: .again)
  | where(.x == "yes")
  | limit(10)
  | jsonl("out.jsonl")
"""
    first = folder.run(program, canary=0)
    assert (first.status, first.calls < 2 * ROWS) == ("done", True)
    rows = folder.read("out.jsonl")
    again = folder.run(program, replay=True, max_errors=1)
    assert (again.status, again.exit_code, folder.read("out.jsonl")) == ("done", 0, rows)
    assert not any(node.failed for node in again.nodes)


def test_what_failed_before_a_limit_was_full_is_lost(folder: Folder) -> None:
    program = PROGRAM.replace("CONCURRENCY", "4").replace("LIMIT", "3")
    result = folder.run(program, canary=0)
    assert (result.status, result.rejects) == ("rows lost", {"out.rejects.jsonl": 1})
    assert sum(node.failed for node in result.nodes) == 1
