"""A storm: rows whose calls fail in every way, and what must become of each.

Each row carries the fates of its calls as markers of ``tests.server``, drawn beforehand, so how
it ends and what it costs is known before the run.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from msgspec import Struct

from dpipe.runtime.asking import RETRY
from tests.runtime.programs import Folder
from tests.server import Server

SHARES = {
    "429": 0.30,
    "500": 0.10,
    "drop": 0.05,
    "half": 0.05,
    "hang": 0.02,
    "malformed": 0.05,
    "truncated": 0.05,
    "refused": 0.02,
    "refusal": 0.01,
    "400": 0.01,
}
"""How many calls in a hundred end in which way; the others are answered well."""
_READ = {"malformed": "malformed", "truncated": "truncated"}
_LAST = {"refused": "refused", "refusal": "refused", "400": "rejected_request"}

PROGRAM = """dpipe 1

model gen = openai("m", url: "URL", key: secret("LLM_KEY"), concurrency: PLACES, timeout: TIMEOUT)

source docs: { id: int, text: str } = jsonl("in.jsonl")

type Note = { quote: str, score: 1..10 }

prompt note(text: str) -> Note { user: "Make a note of this: {text}" }

sink out = docs | ask(note, using: gen, as: .note) | jsonl("out/notes.jsonl")
"""


class Fated(Struct, frozen=True):
    """A row, how it must end, and how many calls it must cost."""

    id: int
    text: str
    outcome: str
    calls: int
    is_mended: bool

    @property
    def row(self) -> dict[str, Any]:
        return {"id": self.id, "text": self.text}


def fated(rows: int, seed: int) -> list[Fated]:
    dice = Random(seed)
    return [_row(number, dice) for number in range(rows)]


def _row(number: int, dice: Random) -> Fated:
    """A row whose calls are drawn until one ends it."""
    fates: Counter[str] = Counter()
    outcome = ""
    while not outcome:
        fate = _drawn(dice)
        if fate is None:
            outcome = "ok"
        else:
            fates[fate] += 1
            outcome = _LAST.get(fate, "")
            if fates[fate] > RETRY.get(_READ.get(fate, ""), 100):
                outcome = fate
    calls = fates.total() + (outcome == "ok")
    # the server takes them one after the other: what ends the row comes last
    ends = {**_READ, **_LAST}
    order = sorted(fates, key=lambda fate: (fate in ends, ends.get(fate) == outcome))
    markers = "".join(f"[[{fate}:{fates[fate]}#{number}]]" for fate in order)
    mended = bool(fates["malformed"] or fates["truncated"])
    return Fated(number, f"Stone {number} is grey. {markers}", outcome, calls, mended)


def _drawn(dice: Random) -> str | None:
    at = dice.random()
    for fate, share in SHARES.items():
        if (at := at - share) < 0:
            return fate
    return None


def program(server: Server, *, places: int, timeout: float) -> str:
    text = PROGRAM.replace("URL", server.url).replace("PLACES", str(places))
    return text.replace("TIMEOUT", str(timeout))


def check(folder: Folder, rows: list[Fated], server: Server) -> None:
    """Every row is where it must be, whole, and cost what it must."""
    ids = {
        "ok": [row["id"] for row in folder.read("out/notes.jsonl")],
        **{outcome: [] for outcome in ("malformed", "truncated", "refused", "rejected_request")},
    }
    for reject in folder.read("out/notes.rejects.jsonl"):
        assert reject["message"]
        assert reject["place"] == f"in.jsonl:{reject['row']['id'] + 1}"
        ids[reject["outcome"]].append(reject["row"]["id"])
    for outcome, found in ids.items():
        assert found == [row.id for row in rows if row.outcome == outcome], outcome
    for written in folder.read("out/notes.jsonl"):
        note = written["note"]
        assert note.keys() == {"quote", "score"}
        assert note["score"] in range(1, 11)
        # an answer to another row would speak of another stone
        assert f"Stone {written['id']} is" in note["quote"] or rows[written["id"]].is_mended
    spent = calls(server)
    assert [row for row in rows if row.calls != spent[row.id]] == []


def calls(server: Server) -> Counter[int]:
    """How often each row was asked about."""
    spent: Counter[int] = Counter()
    for prompt, times in server.stats().prompts.items():
        spent[int(prompt.split("Stone ", 1)[1].split(" ", 1)[0])] += times
    return spent
