"""Preference pairs, wanted answers and verl's tables, as their trainers' loaders see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpipe.lang.types import BOOL, JSON, MESSAGE, STR, Field, List, Record, Type, optional
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.sinks.base import Writer
from dpipe.runtime.sinks.dpo import Dpo
from dpipe.runtime.sinks.kto import Kto
from dpipe.runtime.sinks.verl_rl import VerlRl
from dpipe.runtime.sinks.verl_sft import VerlSft

HISTORY = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
SYSTEM = {"role": "system", "content": "s"}


class Memory:
    """A file that stays in memory."""

    def __init__(self, suffix: str = ".jsonl") -> None:
        self.suffix = suffix
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def record(**fields: Type) -> Record:
    return Record(tuple(Field(name, of) for name, of in fields.items()))


PAIR = record(prompt=STR, chosen=STR, rejected=STR)
WANTED = record(prompt=STR, completion=STR, label=BOOL)
CHAT = record(user=STR, assistant=STR)
TASK = record(data_source=STR, prompt=STR, ability=STR, ground_truth=STR)


def written(writer: Callable[..., Writer], row: Record, *records: dict[str, Any]) -> bytes:
    out = Memory()
    made = writer(out, row)
    for each in records:
        made.put(each)
    made.close()
    return out.data


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def table(data: bytes) -> list[Any]:
    rows: list[Any] = pq.read_table(pa.BufferReader(data)).to_pylist()
    return rows


# -- preferences ---------------------------------------------------------------------------------


def test_a_pair_has_an_explicit_prompt_and_two_answers() -> None:
    plain = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    full = plain | {"system": "s", "history": HISTORY, "margin": 0.5, "extra": {"id": 1}}
    one, two = lines(written(Dpo, PAIR, plain, full))
    assert one == {
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    }
    assert two["prompt"] == [SYSTEM, *HISTORY, {"role": "user", "content": "q"}]
    assert list(two) == ["prompt", "chosen", "rejected", "margin", "id"]


def test_a_wanted_answer_has_its_label() -> None:
    values = {"prompt": "q", "completion": "a", "label": False, "system": "s"}
    assert lines(written(Kto, WANTED, values)) == [
        {
            "prompt": [SYSTEM, {"role": "user", "content": "q"}],
            "completion": [{"role": "assistant", "content": "a"}],
            "label": False,
        }
    ]


@pytest.mark.parametrize(
    ("writer", "row", "values", "message"),
    [
        (Dpo, PAIR, {"prompt": "q", "chosen": "a", "rejected": "a"}, ".rejected: it is the same"),
        (Dpo, PAIR, {"prompt": " ", "chosen": "a", "rejected": "b"}, ".prompt: expected text, fou"),
        (Dpo, PAIR, {"prompt": "q", "chosen": "", "rejected": "b"}, ".chosen: expected text, foun"),
        (Kto, WANTED, {"prompt": "q", "completion": "a", "label": 1}, ".label: expected bool, fou"),
        (Kto, WANTED, {"prompt": "q", "completion": "", "label": True}, ".completion: expected te"),
        (VerlSft, CHAT, {"user": "q", "assistant": "\n"}, ".assistant: expected text, found a bl"),
        (
            VerlRl,
            TASK,
            {"data_source": "d", "prompt": "q", "ability": "a", "ground_truth": ""},
            ".ground_truth: expected text, found a blank",
        ),
    ],
)
def test_a_row_that_teaches_nothing_is_a_misfit_and_never_written(
    writer: Callable[..., Writer], row: Record, values: dict[str, Any], message: str
) -> None:
    out = Memory()
    made = writer(out, row)
    before = out.data
    with pytest.raises(Misfit) as caught:
        made.put(values)
    assert str(caught.value).startswith(message)
    assert out.data == before


def test_datasets_loads_pairs_in_both_layouts(tmp_path: Path) -> None:
    pair = {"prompt": "q", "chosen": "good", "rejected": "bad", "margin": 1.5}
    for suffix in (".jsonl", ".json"):
        out = Memory(suffix)
        writer = Dpo(out, PAIR)
        writer.put(pair)
        writer.put(pair | {"prompt": "é"})
        writer.close()
        (tmp_path / f"a{suffix}").write_bytes(out.data)
        loaded = datasets.load_dataset(
            "json",
            data_files=str(tmp_path / f"a{suffix}"),
            split="train",
            cache_dir=str(tmp_path / "cache"),
        )
        assert loaded.column_names == ["prompt", "chosen", "rejected", "margin"]
        assert loaded[1]["prompt"] == [{"role": "user", "content": "é"}]
        assert loaded[1]["margin"] == 1.5


# -- verl ----------------------------------------------------------------------------------------


def test_verl_fine_tunes_on_messages() -> None:
    row = record(
        user=STR,
        assistant=STR,
        system=optional(STR),
        history=List(MESSAGE),
        reasoning=optional(STR),
        extra=record(id=STR, seen=optional(BOOL)),
    )
    values = {"user": "q", "assistant": "a", "history": HISTORY, "extra": {"id": "1", "seen": None}}
    data = written(VerlSft, row, values, values | {"system": "s", "history": [], "reasoning": "r"})
    thought = "<think>\nr\n</think>\n\na"
    asked, answered = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    assert table(data) == [
        {"messages": [*HISTORY, asked, answered], "id": "1", "seen": None},
        {
            "messages": [SYSTEM, asked, {"role": "assistant", "content": thought}],
            "id": "1",
            "seen": None,
        },
    ]


def test_verl_learns_by_reinforcement_from_its_documented_columns() -> None:
    row = record(**{field.name: field.type for field in TASK.fields}, extra=record(split=STR))
    values = {
        "data_source": "openai/gsm8k",
        "prompt": "1+1?",
        "ability": "math",
        "ground_truth": "2",
        "extra": {"split": "train"},
    }
    data = written(VerlRl, row, values, values | {"style": "model", "system": "s"})
    one, two = table(data)
    assert one == {
        "data_source": "openai/gsm8k",
        "prompt": [{"role": "user", "content": "1+1?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "2"},
        "extra_info": {"index": 0, "split": "train"},
    }
    assert two["prompt"][0] == SYSTEM
    assert two["reward_model"]["style"] == "model"
    assert two["extra_info"]["index"] == 1


def test_an_index_of_ones_own_stands() -> None:
    row = record(**{field.name: field.type for field in TASK.fields}, extra=record(index=STR))
    values = {field.name: "x" for field in TASK.fields} | {"extra": {"index": "mine"}}
    assert table(written(VerlRl, row, values))[0]["extra_info"] == {"index": "mine"}


@pytest.mark.parametrize("writer", [VerlSft, VerlRl])
def test_columns_must_be_known_before_the_rows(writer: Callable[..., Writer]) -> None:
    with pytest.raises(UsageError, match="makes columns, whose names and types must be known"):
        writer(Memory(), record(extra=JSON))
