"""What is written is what its consumers load: ``datasets``, TRL, LLaMA-Factory and verl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import openpyxl
import pytest

from dpipe.runtime.sinks.xlsx import titles
from tests.runtime.programs import Folder
from tests.runtime.test_tables import offline

__all__ = ["offline"]

ROWS = [
    {"id": n, "q": f"{n} + 1?", "a": f"It is {n + 1}. #### {n + 1}", "bad": "0", "good": n > 0}
    for n in range(3)
]
HEAD = """dpipe 1
source seed: { id: int, q: str, a: str, bad: str, good: bool } = jsonl("seed.jsonl")
flow past = seed
  | set(history: [{ role: "user", content: "hi" }, { role: "assistant", content: "yo" }])
"""
PAST = ["hi", "yo"]
TURN = {"role", "content"}


def made(root: Path, writer: str) -> Folder:
    folder = Folder(root)
    folder.rows("seed.jsonl", ROWS)
    folder.run(f"{HEAD}sink out = past | {writer}\n")
    return folder


def loaded(file: Path, cache: Path) -> Any:
    """The rows as ``datasets.load_dataset`` gives them."""
    kind = {".jsonl": "json"}.get(file.suffix, file.suffix[1:])
    args = {"data_files": str(file), "split": "train", "cache_dir": str(cache)}
    return datasets.load_dataset(kind, **args)


@pytest.mark.parametrize(
    ("writer", "columns"),
    [
        ('jsonl("o.jsonl")', {"id", "q", "a", "bad", "good", "history"}),
        ('json("o.json")', {"id", "q", "a", "bad", "good", "history"}),
        ('csv("o.csv")', {"id", "q", "a", "bad", "good", "history"}),
        ('parquet("o.parquet")', {"id", "q", "a", "bad", "good", "history"}),
        ('alpaca("o.json", instruction: .q, output: .a)', {"instruction", "input", "output"}),
        ('sharegpt("o.jsonl", human: .q, gpt: .a)', {"conversations"}),
        ('messages("o.jsonl", user: .q, assistant: .a)', {"messages"}),
        (
            'dpo("o.jsonl", prompt: .q, chosen: .a, rejected: .bad)',
            {"prompt", "chosen", "rejected"},
        ),
        (
            'kto("o.jsonl", prompt: .q, completion: .a, label: .good)',
            {"prompt", "completion", "label"},
        ),
        ('verl_sft("o.parquet", user: .q, assistant: .a)', {"messages"}),
        (
            """verl_rl("o.parquet", data_source: "sums", prompt: .q, ability: "math",
  ground_truth: .bad)""",
            {"data_source", "prompt", "ability", "reward_model", "extra_info"},
        ),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) else "",
)
def test_datasets_loads_every_format(
    tmp_path: Path, offline: Path, writer: str, columns: set[str]
) -> None:
    made(tmp_path, writer)
    (file,) = tmp_path.glob("o.*")
    rows = loaded(file, offline)
    assert len(rows) == len(ROWS)
    assert set(rows.column_names) == columns


def test_pairs_are_trls_conversational_preferences_with_an_explicit_prompt(
    tmp_path: Path, offline: Path
) -> None:
    """Its trainer takes ``prompt``, ``chosen`` and ``rejected`` as lists of messages."""
    made(tmp_path, 'dpo("o.jsonl", prompt: .q, chosen: .a, rejected: .bad, history: .history)')
    for row, seed in zip(loaded(tmp_path / "o.jsonl", offline), ROWS, strict=True):
        assert all(set(turn) == TURN for part in row.values() for turn in part)
        assert [turn["content"] for turn in row["prompt"]] == [*PAST, seed["q"]]
        assert row["prompt"][-1]["role"] == "user"
        assert row["chosen"] == [{"role": "assistant", "content": seed["a"]}]
        assert row["rejected"] == [{"role": "assistant", "content": seed["bad"]}]


def test_labels_are_trls_unpaired_preferences(tmp_path: Path, offline: Path) -> None:
    made(tmp_path, 'kto("o.jsonl", prompt: .q, completion: .a, label: .good)')
    rows = loaded(tmp_path / "o.jsonl", offline)
    assert rows.features["label"].dtype == "bool"
    assert [row["label"] for row in rows] == [seed["good"] for seed in ROWS]
    assert all(row["completion"][0]["role"] == "assistant" for row in rows)


def test_verl_finds_a_chat_list_and_the_ground_truth_that_was_taken_out_of_the_answer(
    tmp_path: Path, offline: Path
) -> None:
    """Its data set reads ``prompt`` as messages, its rewards find their own by ``data_source``."""
    made(
        tmp_path,
        """verl_rl("o.parquet", data_source: "openai/gsm8k", prompt: .q, ability: "math",
  ground_truth: extract(.a, "#### (.+)$") ?? "", extra: { answer: .a })""",
    )
    for at, row in enumerate(loaded(tmp_path / "o.parquet", offline)):
        assert row["prompt"] == [{"role": "user", "content": ROWS[at]["q"]}]
        assert row["reward_model"] == {"style": "rule", "ground_truth": str(at + 1)}
        assert row["extra_info"] == {"index": at, "answer": ROWS[at]["a"]}


def test_roles_and_columns_are_called_as_the_consumer_wants(tmp_path: Path) -> None:
    folder = made(
        tmp_path,
        """sharegpt("o.jsonl", human: .q, gpt: .a, system: "Be brief.", history: .history,
  column: "messages", role_tag: "role", content_tag: "content",
  user_tag: "user", assistant_tag: "bot")""",
    )
    row = folder.read("o.jsonl")[0]
    assert [(turn["role"], turn["content"]) for turn in row["messages"]] == [
        ("user", "hi"),
        ("bot", "yo"),
        ("user", ROWS[0]["q"]),
        ("bot", ROWS[0]["a"]),
    ]
    assert list(row) == ["messages", "system"]


REGISTRY = {
    "alpaca": {"file_name": "alpaca.json", "columns": {"system": "system"}},
    "sharegpt": {
        "file_name": "sharegpt.jsonl",
        "formatting": "sharegpt",
        "columns": {"system": "system"},
    },
    "openai": {
        "file_name": "openai.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "messages"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    },
}


def test_every_chat_format_comes_back_through_llama_factorys_registry(tmp_path: Path) -> None:
    folder = made(tmp_path, 'jsonl("unused.jsonl")')
    folder.write("dataset_info.json", json.dumps(REGISTRY))
    folder.run(f"""{HEAD}
sink a = seed | alpaca("alpaca.json", instruction: .q, output: .a, system: "Be brief.")
sink s = seed | sharegpt("sharegpt.jsonl", human: .q, gpt: .a, system: "Be brief.")
sink o = seed | messages("openai.jsonl", user: .q, assistant: .a, system: "Be brief.")
""")
    for name in REGISTRY:
        folder.run(f"""dpipe 1
source set = llama_factory("dataset_info.json", name: "{name}")
sink back = set | jsonl("back.jsonl")
""")
        rows = folder.read("back.jsonl")
        assert {row["system"] for row in rows} == {"Be brief."}
        assert [[turn["content"] for turn in row["messages"]] for row in rows] == [
            [seed["q"], seed["a"]] for seed in ROWS
        ]


# -- a sheet a value -----------------------------------------------------------------------------


def test_a_spreadsheet_has_a_sheet_for_each_value_and_the_empty_ones_of_an_enum(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path)
    words = [("tree", "noun"), ("go", "verb"), ("sun", "noun")]
    folder.rows("in.jsonl", [{"word": word, "kind": kind} for word, kind in words])
    source = 'source words: { word: str, kind: "noun" | "verb" | "other" } = jsonl("in.jsonl")'
    folder.run(f'dpipe 1\n{source}\nsink out = words | xlsx("a.xlsx", sheet: "kind")\n')
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert {sheet.title: [line[0].value for line in sheet.rows] for sheet in book} == {
        "noun": ["word", "tree", "sun"],
        "verb": ["word", "go"],
        "other": ["word"],
    }
    folder.run("""dpipe 1
source nouns: { word: str } = xlsx("a.xlsx", sheet: "noun")
sink back = nouns | jsonl("back.jsonl")
""")
    assert folder.read("back.jsonl") == [{"word": "tree"}, {"word": "sun"}]


def test_any_value_names_a_sheet_and_no_two_share_one() -> None:
    assert titles(["a/b", "a:b", "A_B", "", "x" * 40, "x" * 50, "'q'", "孕期"]) == [
        "a_b",
        "a_b 2",
        "A_B 3",
        "_",
        "x" * 31,
        "x" * 29 + " 2",
        "q",
        "孕期",
    ]
