"""Datasets of LLaMA-Factory's registry are conversations, whatever their columns and tags."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.sources import llama_factory
from tests.runtime.items import read, told
from tests.runtime.programs import Folder
from tests.runtime.test_documents import PNG

EMPTY: dict[str, Any] = {
    "system": None,
    "chosen": None,
    "rejected": None,
    "label": None,
    "tools": None,
    "images": [],
}
URL = "data:image/png;base64," + b64encode(PNG).decode()


def dataset(folder: Path, entry: dict[str, Any], rows: list[Any] | None = None) -> list[Any]:
    """What an entry gives of the rows in ``data/a.json``."""
    (folder / "data").mkdir(exist_ok=True)
    entry = {"file_name": "a.json", **entry}
    (folder / "data/dataset_info.json").write_text(json.dumps({"set": entry}))
    if rows is not None:
        (folder / "data/a.json").write_text(json.dumps(rows))
    return told(read(llama_factory.read, folder, path="data", name="set"))


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


def test_alpaca_is_its_history_the_question_with_its_input_and_the_answer(tmp_path: Path) -> None:
    columns = {"prompt": "q", "query": "more", "response": "a", "history": "h", "system": "s"}
    row = {"q": "Add.", "more": "2, 3", "a": "5", "h": [["hi", "hello"]], "s": "Be kind."}
    assert dataset(tmp_path, {"columns": columns}, [row, {"q": "Hm?", "a": "Yes."}]) == [
        {**EMPTY, "messages": turns("hi", "hello", "Add.\n2, 3", "5"), "system": "Be kind."},
        {**EMPTY, "messages": turns("Hm?", "Yes.")},
    ]


def test_without_columns_they_have_the_names_of_their_format(tmp_path: Path) -> None:
    (alpaca,) = dataset(tmp_path, {}, [{"instruction": "i", "input": "", "output": "o"}])
    assert alpaca["messages"] == turns("i", "o")
    talk = [{"from": "human", "value": "i"}, {"from": "gpt", "value": "o"}]
    (sharegpt,) = dataset(tmp_path, {"formatting": "sharegpt"}, [{"conversations": talk}])
    assert sharegpt["messages"] == turns("i", "o")


def test_tags_name_the_roles_and_a_system_turn_stands_beside(tmp_path: Path) -> None:
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "bot",
        "system_tag": "rules",
    }
    talk = [
        {"role": "rules", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "bot", "content": "Yo"},
    ]
    entry = {"formatting": "sharegpt", "columns": {"messages": "talk"}, "tags": tags}
    assert dataset(tmp_path, entry, [{"talk": talk}]) == [
        {**EMPTY, "messages": turns("Hi", "Yo"), "system": "Be brief."}
    ]


def test_preferences_end_with_the_user_and_have_two_answers(tmp_path: Path) -> None:
    columns = {"chosen": "good", "rejected": "bad"}
    plain = {"instruction": "q", "good": "yes", "bad": "no", "output": "unused"}
    expected = {**EMPTY, "messages": turns("q"), "chosen": "yes", "rejected": "no"}
    assert dataset(tmp_path, {"ranking": True, "columns": columns}, [plain]) == [expected]
    talk = {
        "conversations": [{"from": "human", "value": "q"}],
        "good": {"from": "gpt", "value": "yes"},
        "bad": {"from": "gpt", "value": "no"},
    }
    entry = {"ranking": True, "formatting": "sharegpt", "columns": columns}
    assert dataset(tmp_path, entry, [talk]) == [expected]


def test_a_label_tells_whether_the_answer_is_wanted(tmp_path: Path) -> None:
    entry = {"columns": {"kto_tag": "fine"}}
    row = {"instruction": "q", "output": "a", "fine": False}
    (wanted,) = dataset(tmp_path, entry, [row])
    assert wanted["label"] is False
    assert dataset(tmp_path, entry, [{**row, "fine": "maybe"}]) == [
        'data/a.json[0]: `fine`: expected true or false, found "maybe"'
    ]
    (tmp_path / "data/a.csv").write_text("instruction,input,output,fine\nq,,a,true\n")
    (cell,) = dataset(tmp_path, {**entry, "file_name": "a.csv"})
    assert (cell["label"], cell["messages"]) == (True, turns("q", "a"))


def test_images_are_those_beside_and_none_that_lies_outside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "data/pics").mkdir(parents=True)
    (project / "data/pics/a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    row = {"instruction": "q", "output": "a"}
    names = [["pics/a.png"], "pics/a.png", ["../../secret.png"], ["pics/b.png"], None]
    rows = [{**row, "images": name} for name in names]
    one, two, outside, missing, none = dataset(project, {"columns": {"images": "images"}}, rows)
    assert (one["images"], two["images"], none["images"]) == ([URL], [URL], [])
    assert outside == "data/a.json[2]: the image `../../secret.png` lies outside the project"
    assert missing.startswith("data/a.json[3]: the image `pics/b.png`: cannot be read: ")


def test_lines_tables_and_folders_are_read_as_they_are(tmp_path: Path) -> None:
    rows = [{"instruction": "q", "output": str(n)} for n in range(2)]
    data = tmp_path / "data"
    (data / "many").mkdir(parents=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for name in ("a.jsonl", "lines.json", "many/train.jsonl"):
        (data / name).write_text(lines)
    pq.write_table(pa.Table.from_pylist(rows), data / "a.parquet")
    for name in ("a.jsonl", "lines.json", "many", "a.parquet"):
        found = dataset(tmp_path, {"file_name": name})
        assert [row["messages"] for row in found] == [turns("q", "0"), turns("q", "1")]


@pytest.mark.parametrize(
    ("entry", "row", "message"),
    [
        ({}, {"text": "x"}, "has no `instruction`; its columns are `text`"),
        ({}, {"instruction": 7}, "expected the text of a turn, found 7"),
        ({}, [1], "expected a record, found a list"),
        ({"columns": {"history": "h"}}, {"instruction": "q", "h": [["a"]]}, "`h`: expected pairs"),
        ({"ranking": True, "columns": {"chosen": "c"}}, {"instruction": "q"}, "`c`: expected an"),
        ({"formatting": "sharegpt"}, {"conversations": "x"}, "expected turns, found"),
        (
            {"formatting": "sharegpt"},
            {"conversations": [{"from": "bot", "value": "x"}]},
            'turn 0: `from` is "bot", none of the tags',
        ),
        (
            {"formatting": "sharegpt"},
            {"conversations": [{"from": "observation", "value": "x"}]},
            "turn 0: it is a tool's (`observation`), which is not read",
        ),
    ],
)
def test_a_record_that_is_no_conversation_is_a_reject(
    tmp_path: Path, entry: dict[str, Any], row: Any, message: str
) -> None:
    (reject,) = dataset(tmp_path, entry, [row])
    assert reject.startswith("data/a.json[0]: ")
    assert message in reject


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"file_name": "none.json"}, "there is no file `none.json` in "),
        ({"file_name": "a.xyz"}, "`a.xyz` is none of `.json`, `.jsonl`"),
        ({"file_name": "", "script_url": "x"}, "the dataset is a loading script, which is not run"),
        ({"formatting": "chat"}, "`set`: invalid enum value 'chat' - at `$.formatting`"),
    ],
)
def test_a_dataset_that_cannot_be_opened_is_one_line(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        dataset(tmp_path, entry)
    assert message in caught.value.message


def test_a_dataset_that_is_not_listed_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"a": {}, "b": {}}')
    with pytest.raises(UsageError) as caught:
        read(llama_factory.read, tmp_path, path=".", name="c")
    assert caught.value.message == "`dataset_info.json` lists no dataset `c`"
    assert caught.value.hint == "it lists `a`, `b`"
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(UsageError, match=r"`dataset_info\.json` cannot be read: "):
        read(llama_factory.read, tmp_path, path="dataset_info.json", name="c")
    with pytest.raises(UsageError, match=r"there is no file `no\.json`"):
        read(llama_factory.read, tmp_path, path="no.json", name="c")


def test_a_program_reads_conversations_and_writes_them_as_another_format(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("data/dataset_info.json", json.dumps({"set": {"file_name": "a.jsonl"}}))
    folder.rows("data/a.jsonl", [{"instruction": "q", "output": "a"}, {"instruction": "alone"}])
    folder.run("""dpipe 1
source set = llama_factory("data", name: "set")
sink out = set
  | where(len(.messages) == 2)
  | messages("out.jsonl", user: .messages[0].content, assistant: .messages[1].content)
""")
    assert folder.read("out.jsonl") == [{"messages": turns("q", "a")}]
