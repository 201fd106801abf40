"""What each writer writes, and that files appear whole or not at all."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang.types import BOOL, FLOAT, INT, JSON, STR, Enum, Field, List, Record, optional
from dpipe.runtime.errors import Misfit, NoValue, UsageError
from dpipe.runtime.sinks import files
from dpipe.runtime.sinks.alpaca import Alpaca
from dpipe.runtime.sinks.base import Writer, encode
from dpipe.runtime.sinks.csv import Csv
from dpipe.runtime.sinks.files import Output, PartialFolder
from dpipe.runtime.sinks.json import Json
from dpipe.runtime.sinks.jsonl import Jsonl
from dpipe.runtime.sinks.messages import Messages
from dpipe.runtime.sinks.rejects import Rejects, rejects_paths
from dpipe.runtime.sinks.report import Report
from dpipe.runtime.sinks.sharegpt import ShareGpt
from dpipe.runtime.sources import csv as csv_source
from dpipe.runtime.sources import json as json_source
from dpipe.runtime.sources import jsonl as jsonl_source
from dpipe.runtime.sources.base import Context, open_source
from dpipe.runtime.values import Reject, Row

ROW = Record((Field("a", JSON),))


class Memory:
    """A file that stays in memory."""

    def __init__(self, suffix: str = ".jsonl") -> None:
        self.suffix = suffix
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def written(
    writer: Callable[..., Writer],
    records: Iterable[dict[str, Any]],
    suffix: str = ".jsonl",
    row: Record = ROW,
    **options: Any,
) -> str:
    out = Memory(suffix)
    made = writer(out, row, **options)
    for record in records:
        made.put(record)
    made.close()
    return out.data.decode()


# -- formats -------------------------------------------------------------------------------------


def test_jsonl_keeps_keys_in_order_and_characters_as_they_are() -> None:
    rows = [{"b": "数据\n", "a": None}, {"b": 1.5, "a": [True, {}]}]
    assert written(Jsonl, rows) == '{"b":"数据\\n","a":null}\n{"b":1.5,"a":[true,{}]}\n'


def test_json_is_an_array_with_an_element_a_line() -> None:
    assert written(Json, [{"a": 1}, {"a": 2}]) == '[\n{"a":1},\n{"a":2}\n]\n'
    assert written(Json, []) == "[]\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), ".a[0]: expected a JSON value, found nan"),
        (float("-inf"), ".a[0]: expected a JSON value, found -inf"),
        ("\udc00", ".a[0]: expected text, found the half character '\\udc00'"),
        (object(), ".a[0]: expected a JSON value, found a Python object"),
    ],
)
def test_what_json_cannot_hold_is_a_misfit_and_leaves_no_trace(value: Any, message: str) -> None:
    out = Memory()
    writer = Jsonl(out, ROW)
    with pytest.raises(Misfit) as caught:
        writer.put({"a": [value]})
    assert str(caught.value) == message
    assert out.data == b""


def test_nesting_beyond_the_encoder_is_a_misfit() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Misfit, match="nested too deeply"):
        encode(deep)
    while deep:
        deep = deep.pop()


def test_alpaca_has_its_fields_in_their_order() -> None:
    records = [
        {"instruction": "i", "output": "o"},
        {"instruction": "i", "output": "o", "input": "x", "system": "s", "extra": {"id": 1}},
        {"instruction": "i", "output": "o", "reasoning": "because\n", "system": None},
        {"instruction": "i", "output": "o", "reasoning": None, "extra": None},
    ]
    assert [json.loads(line) for line in written(Alpaca, records).splitlines()] == [
        {"instruction": "i", "input": "", "output": "o"},
        {"instruction": "i", "input": "x", "output": "o", "system": "s", "id": 1},
        {"instruction": "i", "input": "", "output": "<think>\nbecause\n</think>\n\no"},
        {"instruction": "i", "input": "", "output": "o"},
    ]
    assert written(Alpaca, records[:1]) == '{"instruction":"i","input":"","output":"o"}\n'


@pytest.mark.parametrize("writer", [Alpaca, ShareGpt, Messages])
def test_a_training_set_is_an_array_or_lines_by_its_files_suffix(
    writer: Callable[..., Writer],
) -> None:
    record = dict.fromkeys(("instruction", "output", "human", "gpt", "user", "assistant"), "x")
    assert len(json.loads(written(writer, [record, record], ".json"))) == 2
    assert len(written(writer, [record, record], ".jsonl").splitlines()) == 2


HISTORY = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_sharegpt_is_a_conversation_with_its_system_beside() -> None:
    record = {"human": "q", "gpt": "a", "system": "s", "history": HISTORY, "extra": {"id": 1}}
    assert json.loads(written(ShareGpt, [record])) == {
        "conversations": [
            {"from": "human", "value": "hi"},
            {"from": "gpt", "value": "hello"},
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "a"},
        ],
        "system": "s",
        "id": 1,
    }


def test_messages_are_system_history_user_assistant() -> None:
    record = {"user": "q", "assistant": "a", "system": "s", "history": HISTORY, "reasoning": "r"}
    assert json.loads(written(Messages, [record])) == {
        "messages": [
            {"role": "system", "content": "s"},
            *HISTORY,
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "<think>\nr\n</think>\n\na"},
        ]
    }


@pytest.mark.parametrize(
    ("writer", "record", "message"),
    [
        (
            Alpaca,
            {"instruction": " \n", "output": "o"},
            ".instruction: expected text, found a blank",
        ),
        (Alpaca, {"instruction": "i", "output": ""}, ".output: expected text, found a blank"),
        (Alpaca, {"instruction": "i", "output": "", "reasoning": "r"}, ".output: expected text, "),
        (Alpaca, {"instruction": "i"}, ".output: expected str, found null"),
        (ShareGpt, {"human": "q", "gpt": 5}, ".gpt: expected str, found 5"),
        (Messages, {"user": "", "assistant": "a"}, ".user: expected text, found a blank"),
        (
            Alpaca,
            {"instruction": "i", "output": "o", "extra": {"output": "p"}},
            ".extra.output: the format has a field `output` itself",
        ),
        (
            Alpaca,
            {"instruction": "i", "output": "o", "extra": [1]},
            ".extra: expected a record, found [1]",
        ),
    ],
)
def test_a_blank_or_clashing_row_is_a_misfit_and_never_written(
    writer: Callable[..., Writer], record: dict[str, Any], message: str
) -> None:
    out = Memory()
    made = writer(out, ROW)
    with pytest.raises(Misfit) as caught:
        made.put(record)
    assert str(caught.value).startswith(message)
    assert out.data == b""


TABLE = Record(
    (
        Field("text", STR),
        Field("n", optional(INT)),
        Field("x", FLOAT),
        Field("ok", BOOL),
        Field("list", List(STR)),
        Field("any", JSON),
    )
)


def test_csv_has_the_row_types_columns_and_json_in_cells() -> None:
    records = [
        {"any": "5", "text": 'a, "b"\nc', "n": None, "x": 0.5, "ok": True, "list": ["é"]},
        {"any": "word", "text": "=1+1", "n": 3, "x": 7, "ok": False, "list": []},
    ]
    assert written(Csv, records, ".csv", TABLE) == (
        'text,n,x,ok,list,any\n"a, ""b""\nc",,0.5,true,"[""é""]","""5"""\n=1+1,3,7,false,[],word\n'
    )
    assert written(Csv, [{"a": "x\ry"}, {"a": None}], ".csv") == 'a\n"x\ry"\n""\n'
    assert written(Csv, [], ".csv", TABLE) == "text,n,x,ok,list,any\n"
    assert written(Csv, [{"a": "x;y"}], ".csv", separator=";") == 'a\n"x;y"\n'


def test_a_cell_that_cannot_be_written_names_its_column() -> None:
    with pytest.raises(Misfit, match=r"^\.a\[1\]: expected a JSON value, found nan$"):
        written(Csv, [{"a": [0, float("nan")]}])


def test_a_report_is_one_object_for_people() -> None:
    assert written(Report, [{"n": 2, "mean": None}]) == '{\n  "n": 2,\n  "mean": null\n}\n'
    assert written(Report, []) == "{}\n"


# -- round trips ---------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def read_back(reader: Any, name: str, text: str, row: Record | None) -> list[Any]:
    async def main(folder: Path) -> list[Any]:
        source = open_source(reader, {"path": name}, Context("s", folder, folder), row)
        return [item async for batch in source for item in batch]

    with TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(text.encode())
        items = trio.run(main, Path(folder))
    return [item.values if isinstance(item, Row) else item for item in items]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(words, json_values, max_size=3), max_size=4))
def test_json_and_jsonl_come_back_as_they_went(records: list[dict[str, Any]]) -> None:
    assert read_back(jsonl_source.read, "a.jsonl", written(Jsonl, records), None) == records
    assert read_back(json_source.read, "a.json", written(Json, records), None) == records


table_rows = st.fixed_dictionaries(
    {
        "text": words,
        "n": st.none() | st.integers(),
        "x": numbers,
        "ok": st.booleans(),
        "list": st.lists(words, max_size=2),
        "any": json_values,
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(table_rows, max_size=4))
def test_tables_come_back_as_they_went(records: list[dict[str, Any]]) -> None:
    text = written(Csv, records, ".csv", TABLE)
    assert read_back(csv_source.read, "a.csv", text, TABLE) == records


# -- files ---------------------------------------------------------------------------------------


def output(folder: Path, name: str = "out.jsonl", **options: Any) -> Output:
    return Output(
        lambda out: Jsonl(out, ROW), lambda values: folder / name.format(**values), **options
    )


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("wrong", [float("nan"), "\ud800", object()])
def test_records_are_written_together_only_where_each_may_be_written(
    tmp_path: Path, wrong: Any
) -> None:
    out = output(tmp_path)
    out.put({"a": 0}, {})
    assert out.put_all([{"a": 1}, {"a": "ü"}])
    assert not out.put_all([{"a": 2}, {"a": wrong}])
    assert not out.put_all([{"a": 3}, {"a": None}])  # null, or a number that reads as null
    out.complete()
    assert tree(tmp_path) == {"out.jsonl": '{"a":0}\n{"a":1}\n{"a":"ü"}\n'}


def test_of_a_partition_each_record_is_put_by_itself(tmp_path: Path) -> None:
    out = output(tmp_path, "{a}.jsonl", partition=(Field("a", INT),))
    out.put({"a": 0}, {"a": 0})
    assert not out.put_all([{"a": 0}])
    out.abandon()


def test_a_file_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    out = output(tmp_path, "deep/out.jsonl")
    out.put({"a": 1}, {})
    out.flush()
    assert tree(tmp_path) == {"deep/out.jsonl.partial": '{"a":1}\n'}
    assert out.complete() == [tmp_path / "deep" / "out.jsonl"]
    assert tree(tmp_path) == {"deep/out.jsonl": '{"a":1}\n'}


def test_an_output_without_rows_is_an_empty_file(tmp_path: Path) -> None:
    output(tmp_path).complete()
    assert tree(tmp_path) == {"out.jsonl": ""}


def test_an_abandoned_output_leaves_its_partial_file_and_the_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("earlier")
    out = output(tmp_path)
    out.put({"a": 1}, {})
    out.abandon()
    assert tree(tmp_path) == {"out.jsonl": "earlier", "out.jsonl.partial": '{"a":1}\n'}
    output(tmp_path).complete()
    assert tree(tmp_path) == {"out.jsonl": ""}


def test_a_row_that_misfits_leaves_no_trace_in_its_file(tmp_path: Path) -> None:
    out = output(tmp_path)
    out.put({"a": 1}, {})
    with pytest.raises(Misfit):
        out.put({"a": float("nan")}, {})
    out.put({"a": 2}, {})
    out.complete()
    assert tree(tmp_path) == {"out.jsonl": '{"a":1}\n{"a":2}\n'}


def test_a_value_whose_rows_all_misfit_has_no_file(tmp_path: Path) -> None:
    out = Output(
        lambda file: Csv(file, ROW), lambda values: tmp_path / values["k"], (Field("k", STR),)
    )
    for _ in range(2):
        with pytest.raises(Misfit):
            out.put({"a": float("nan")}, {"k": "x"})
    assert out.complete() == []
    assert tree(tmp_path) == {}


BAND = Field("band", Enum(("low", "mid/high")))


def test_a_partitioned_output_has_a_file_a_value_and_the_empty_ones_of_an_enum(
    tmp_path: Path,
) -> None:
    out = output(tmp_path, "{band}.jsonl", partition=(BAND,))
    out.put({"a": 1}, {"band": "mid/high"})
    out.complete()
    assert tree(tmp_path) == {"low.jsonl": "", "mid%2Fhigh.jsonl": '{"a":1}\n'}


def test_several_enums_have_a_file_each_combination(tmp_path: Path) -> None:
    part = Field("part", Enum(("train", "val")))
    output(tmp_path, "{part}/{band}.jsonl", partition=(part, BAND)).complete()
    assert list(tree(tmp_path)) == [
        "train/low.jsonl",
        "train/mid%2Fhigh.jsonl",
        "val/low.jsonl",
        "val/mid%2Fhigh.jsonl",
    ]


def test_other_values_have_a_file_where_a_row_has_them(tmp_path: Path) -> None:
    out = output(tmp_path, "{k}.jsonl", partition=(Field("k", STR),))
    for value in ("../x", "", "a", "a", 3, 3.0, True):
        out.put({"a": 1}, {"k": value})
    with pytest.raises(NoValue, match="null has no text"):
        out.put({"a": 1}, {"k": None})
    paths = [path.name for path in out.complete()]
    assert paths == ["%2E.%2Fx.jsonl", "%empty.jsonl", "a.jsonl", "3.jsonl", "true.jsonl"]
    assert (tmp_path / "a.jsonl").read_text() == '{"a":1}\n{"a":1}\n'


def test_partitions_of_an_earlier_run_are_removed_when_this_one_is_complete(
    tmp_path: Path,
) -> None:
    partition = (Field("k", STR),)
    first = output(tmp_path, "{k}.jsonl", partition=partition)
    for value in ("a", "b"):
        first.put({"a": 1}, {"k": value})
    written_first = first.complete()
    (tmp_path / "mine.jsonl").write_text("not of a run")
    second = output(tmp_path, "{k}.jsonl", partition=partition, previous=written_first)
    second.put({"a": 2}, {"k": "b"})
    assert (tmp_path / "a.jsonl").exists()
    second.complete()
    assert tree(tmp_path) == {"b.jsonl": '{"a":2}\n', "mine.jsonl": "not of a run"}


def test_more_files_than_may_be_open_are_all_written(tmp_path: Path) -> None:
    out = output(tmp_path, "{k}.jsonl", partition=(Field("k", INT),), most_open=2)
    for value in range(30):
        out.put({"a": value}, {"k": value % 5})
    out.complete()
    assert tree(tmp_path) == {
        f"{k}.jsonl": "".join(f'{{"a":{n}}}\n' for n in range(k, 30, 5)) for k in range(5)
    }


def test_an_array_is_streamed_and_readable_before_its_end(tmp_path: Path) -> None:
    out = Output(lambda file: Json(file, ROW), lambda _: tmp_path / "out.json")
    out.put({"a": 1}, {})
    out.flush()
    assert (tmp_path / "out.json.partial").read_text() == '[\n{"a":1}'
    out.complete()
    assert json.loads((tmp_path / "out.json").read_text()) == [{"a": 1}]


def test_a_disk_that_refuses_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write `.*file/out.jsonl`: its folder is a file"):
        output(tmp_path, "file/out.jsonl")

    out = output(tmp_path)
    out.put({"a": 1}, {})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UsageError, match="no space left on device"):
        out.complete()
    assert tree(tmp_path) == {"file": "", "out.jsonl.partial": '{"a":1}\n'}


def test_a_link_never_leads_the_writing_elsewhere(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "out").mkdir(parents=True)
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (project / "out" / "a.jsonl.partial").symlink_to(outside / "precious")
    (project / "out" / "b").symlink_to(outside)
    out = output(project, "out/{k}/x.jsonl", partition=(Field("k", STR),), within=project)
    with pytest.raises(UsageError, match="leads outside"):
        out.put({"a": 1}, {"k": "b"})
    out.abandon()
    output(project, "out/a.jsonl", within=project).complete()
    assert tree(outside) == {"precious": "precious"}
    assert (project / "out" / "a.jsonl").read_text() == ""


class Two:
    """A writer of two files, of which the second knows the first."""

    def __init__(self, out: PartialFolder) -> None:
        self.out = out
        self.lines = Jsonl(out.file("data/a.jsonl"), ROW)

    def put(self, record: dict[str, Any]) -> None:
        self.lines.put(record)

    def close(self) -> None:
        self.out.file("b.txt").write(self.out.name.encode())


def folder_output(folder: Path, **options: Any) -> Output:
    return Output(Two, lambda values: folder / values.get("k", "ds"), folder=True, **options)


def test_the_files_of_a_folder_take_their_names_together(tmp_path: Path) -> None:
    out = folder_output(tmp_path)
    out.put({"a": 1}, {})
    out.flush()
    assert tree(tmp_path) == {"ds/data/a.jsonl.partial": '{"a":1}\n'}
    assert out.complete() == [tmp_path / "ds"]
    assert tree(tmp_path) == {"ds/b.txt": "ds", "ds/data/a.jsonl": '{"a":1}\n'}


def test_a_folder_whose_rows_all_misfit_has_no_files(tmp_path: Path) -> None:
    out = folder_output(tmp_path, partition=(Field("k", STR),))
    with pytest.raises(Misfit):
        out.put({"a": float("nan")}, {"k": "x"})
    assert out.complete() == []
    assert tree(tmp_path) == {}


# -- rejects -------------------------------------------------------------------------------------

REJECT = Reject("pairs: ask", "truncated", "cut off", "in.jsonl:3", {"q": "é"}, "half a rep")


def test_a_reject_is_a_line_with_all_that_is_known(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "a.rejects.jsonl")
    rejects.put(REJECT)
    rejects.flush()
    assert list(tree(tmp_path)) == ["a.rejects.jsonl.partial"]
    rejects.complete()
    assert json.loads((tmp_path / "a.rejects.jsonl").read_text()) == {
        "stage": "pairs: ask",
        "outcome": "truncated",
        "message": "cut off",
        "place": "in.jsonl:3",
        "row": {"q": "é"},
        "reply": "half a rep",
    }


def test_without_rejects_there_is_no_file_and_an_earlier_one_goes(tmp_path: Path) -> None:
    (tmp_path / "a.rejects.jsonl").write_text("earlier")
    (tmp_path / "a.rejects.jsonl.partial").write_text("earlier")
    rejects = Rejects(tmp_path / "a.rejects.jsonl")
    rejects.flush()
    rejects.complete()
    assert tree(tmp_path) == {}


def test_an_abandoned_rejects_file_stays_beside(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "a.rejects.jsonl")
    rejects.put(REJECT)
    rejects.abandon()
    assert list(tree(tmp_path)) == ["a.rejects.jsonl.partial"]


def test_a_row_of_any_content_can_be_a_reject(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "a.rejects.jsonl")
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    row = {"nan": float("nan"), "half": "\ud800", "odd": object(), "deep": deep, "fine": [1, None]}
    rejects.put(Reject("s", "error", "m", "p", row))
    rejects.complete()
    told = json.loads((tmp_path / "a.rejects.jsonl").read_text())["row"]
    assert told["nan"] == "nan"
    assert told["half"] == "\\ud800"
    assert told["odd"] == "a Python object"
    assert told["fine"] == [1, None]


def test_rejects_stand_beside_their_output(tmp_path: Path) -> None:
    sinks = {"a": tmp_path / "out" / "train.jsonl", "b": tmp_path / "out" / "mix.json"}
    assert rejects_paths(sinks, {"bands": tmp_path / "out"}) == {
        "a": tmp_path / "out" / "train.rejects.jsonl",
        "b": tmp_path / "out" / "mix.rejects.jsonl",
        "bands": tmp_path / "out" / "bands.rejects.jsonl",
    }


def test_no_two_sinks_share_a_rejects_file(tmp_path: Path) -> None:
    sinks = {"a": tmp_path / "x.jsonl", "b": tmp_path / "x.json", "c": tmp_path / "p.csv"}
    places = rejects_paths(sinks, {"p": tmp_path})
    assert {sink: path.name for sink, path in places.items()} == {
        "a": "x.jsonl.rejects.jsonl",
        "b": "x.json.rejects.jsonl",
        "c": "p.csv.rejects.jsonl",
        "p": "p.rejects.jsonl",
    }
