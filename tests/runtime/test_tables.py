"""Tables there and back: Parquet, Arrow, spreadsheets, and datasets of the `datasets` library."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang.types import (
    BOOL,
    FLOAT,
    IMAGE,
    INT,
    JSON,
    NULL,
    STR,
    Again,
    Enum,
    Field,
    List,
    Record,
    Type,
    Union,
    optional,
)
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.sinks.base import Writer
from dpipe.runtime.sinks.jsonl import Jsonl
from dpipe.runtime.sinks.parquet import Parquet
from dpipe.runtime.sinks.xlsx import Xlsx
from dpipe.runtime.sources import arrow, hf, parquet, xlsx
from tests.runtime.items import read, told


class Memory:
    """A file that stays in memory."""

    suffix = ".bin"

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def written(writer: Callable[..., Writer], rows: Iterable[dict[str, Any]], row: Record) -> bytes:
    out = Memory()
    made = writer(out, row)
    for each in rows:
        made.put(each)
    made.close()
    return out.data


def record(**fields: Type) -> Record:
    return Record(tuple(Field(name, of) for name, of in fields.items()))


ROW = record(
    text=STR,
    n=optional(INT),
    x=FLOAT,
    ok=BOOL,
    kind=Enum(("a", "b")),
    tags=List(STR),
    turns=List(record(role=STR, content=JSON)),
    any=JSON,
    either=Union((INT, STR)),
    nested=optional(record(deep=record(a=optional(STR)), none=record())),
    page=optional(IMAGE),
    void=NULL,
)
RICH = {
    "text": "é\n数据",
    "n": 2**62,
    "x": 0.5,
    "ok": True,
    "kind": "b",
    "tags": ["", "x"],
    "turns": [{"role": "user", "content": {"k": [1, None]}}],
    "any": "5",
    "either": 7,
    "nested": {"deep": {"a": None}, "none": {}},
    "page": "data:image/png;base64,iVBOR",
    "void": None,
}
POOR = RICH | {"n": None, "tags": [], "turns": [], "any": None, "nested": None, "page": None}

# -- parquet -------------------------------------------------------------------------------------


def table(folder: Path, data: bytes, row: Record | None = None) -> list[Any]:
    (folder / "in.parquet").write_bytes(data)
    return told(read(parquet.read, folder, row, path="in.parquet"))


def test_parquet_comes_back_as_it_went_with_and_without_a_type(tmp_path: Path) -> None:
    data = written(Parquet, [RICH, POOR], ROW)
    assert table(tmp_path, data, ROW) == [RICH, POOR]
    assert table(tmp_path, data) == [RICH, POOR]


def test_parquet_has_a_column_of_its_type_for_each_field() -> None:
    schema = pq.read_schema(pa.BufferReader(written(Parquet, [], ROW)))
    assert [str(of) for of in schema.types] == [
        "string",
        "int64",
        "double",
        "bool",
        "string",
        "list<element: string>",
        "list<element: struct<role: string, content: extension<arrow.json>>>",
        "extension<arrow.json>",
        "extension<arrow.json>",
        "struct<deep: struct<a: string>, none: extension<arrow.json>>",
        "string",
        "string",
    ]


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ints = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)


def json_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | ints | floats | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )


SMALL = record(text=STR, n=optional(INT), x=FLOAT, ok=BOOL, list=List(STR), any=JSON)
small_rows = st.lists(
    st.fixed_dictionaries(
        {
            "text": words,
            "n": st.none() | ints,
            "x": floats,
            "ok": st.booleans(),
            "list": st.lists(words, max_size=2),
            "any": json_of(words),
        }
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(small_rows)
def test_any_rows_come_back_from_parquet(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        assert table(Path(folder), written(Parquet, rows, SMALL), SMALL) == rows


def test_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    for writer in (Parquet, Xlsx):
        assert written(writer, [POOR, RICH], ROW) == written(writer, [POOR, RICH], ROW)


def test_rows_beyond_one_group_are_written_in_order(tmp_path: Path) -> None:
    rows = [{"n": number} for number in range(25_000)]
    data = written(Parquet, rows, record(n=INT))
    assert pq.ParquetFile(pa.BufferReader(data)).num_row_groups == 3
    assert table(tmp_path, data) == rows


@pytest.mark.parametrize(
    ("of", "value", "message"),
    [
        (INT, 2**63, ".a: 9223372036854775808 is beyond what the file holds: whole numbers of 64 "),
        (List(INT), [1, -(2**63) - 1], ".a[1]: -9223372036854775809 is beyond what"),
        (STR, 5, ".a: expected str, found 5"),
        (JSON, [float("nan")], ".a[0]: expected a JSON value, found nan"),
        (FLOAT, float("inf"), ".a: expected float, found inf"),
        (STR, "\ud800", ".a: expected text, found the half character"),
    ],
)
def test_what_parquet_cannot_hold_is_a_misfit_and_leaves_no_trace(
    tmp_path: Path, of: Type, value: Any, message: str
) -> None:
    out = Memory()
    writer = Parquet(out, record(a=of))
    with pytest.raises(Misfit) as caught:
        writer.put({"a": value})
    assert str(caught.value).startswith(message)
    writer.close()
    assert table(tmp_path, out.data) == []


def test_a_writer_that_is_given_up_writes_nothing_more() -> None:
    out = Memory()
    writer = Parquet(out, SMALL)
    writer.put({"text": "x", "n": 1, "x": 1.0, "ok": True, "list": [], "any": None})
    before = out.data
    del writer
    assert out.data == before


def test_values_of_other_writers_are_plain(tmp_path: Path) -> None:
    picture = {"bytes": b"\x89PNG123", "path": "a.png"}
    columns = {
        "day": pa.array([dt.date(2024, 1, 2), None]),
        "at": pa.array([dt.datetime(2024, 1, 2, 3, 4), None], pa.timestamp("ms", "UTC")),
        "price": pa.array([Decimal("1.50"), Decimal("2.00")]),
        "word": pa.array(["x", "y"]).dictionary_encode(),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
        "page": pa.array([picture, {"bytes": None, "path": "b.png"}]),
        "pages": pa.array([[picture], []]),
        "took": pa.array([dt.timedelta(seconds=90), None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    one, two = told(read(parquet.read, tmp_path, path="in.parquet"))
    assert one == {
        "day": "2024-01-02",
        "at": "2024-01-02T03:04:00+00:00",
        "price": 1.5,
        "word": "x",
        "map": {"k": 1},
        "page": b"\x89PNG123",
        "pages": [b"\x89PNG123"],
        "took": 90.0,
    }
    assert (two["day"], two["price"], two["map"], two["page"]) == (None, 2, None, "b.png")
    row = record(page=IMAGE, price=FLOAT)
    first, _ = told(read(parquet.read, tmp_path, row, path="in.parquet"))
    assert first == {"page": "data:image/png;base64,iVBORzEyMw==", "price": 1.5}


def test_places_count_rows_and_equal_rows_have_one_key(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2, 1] * 200}), tmp_path / "in.parquet", row_group_size=7)
    items: list[Any] = read(parquet.read, tmp_path, path="in.parquet")
    assert [item.place for item in items] == [f"in.parquet[{at}]" for at in range(600)]
    assert items[0].key == items[599].key != items[1].key


def test_rows_of_the_wrong_type_are_rejects(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": ["x", None]}), tmp_path / "in.parquet")
    assert told(read(parquet.read, tmp_path, record(a=STR, b=INT), path="in.parquet")) == [
        "in.parquet[0]: .b: expected int, but the field is missing",
        "in.parquet[1]: .a: expected str, found null",
    ]


def test_a_parquet_file_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"a": list(range(20_000))}),
        tmp_path / "good.parquet",
        row_group_size=10_000,
        compression="none",
        use_dictionary=False,
        write_page_checksum=False,
    )
    good = (tmp_path / "good.parquet").read_bytes()
    twins = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(twins, tmp_path / "twins.parquet")
    bad = {"cut": good[:500], "empty": b"", "text": b"hello"}
    for name, data in bad.items():
        (tmp_path / f"{name}.parquet").write_bytes(data)
    names = [f"{name}.parquet" for name in [*bad, "twins"]]
    assert told(read(parquet.read, tmp_path, path=names)) == [
        "cut.parquet: not a Parquet file, or damaged",
        "empty.parquet: the file is empty",
        "text.parquet: not a Parquet file, or damaged",
        "twins.parquet: 2 columns are called `a`",
    ]


def test_damage_within_a_parquet_file_ends_it_where_it_is(tmp_path: Path) -> None:
    rows = pa.table({"a": [f"text {n}" for n in range(20_000)]})
    pq.write_table(rows, tmp_path / "in.parquet", row_group_size=10_000, use_dictionary=False)
    data = bytearray((tmp_path / "in.parquet").read_bytes())
    second = pq.ParquetFile(tmp_path / "in.parquet").metadata.row_group(1).column(0)
    start = second.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    (tmp_path / "in.parquet").write_bytes(data)
    *found, last = told(read(parquet.read, tmp_path, path="in.parquet"))
    assert 0 < len(found) <= 10_000
    assert last == f"in.parquet[{len(found)}]: damaged from here on"


# -- arrow ---------------------------------------------------------------------------------------


def test_arrow_files_and_streams_are_read(tmp_path: Path) -> None:
    rows = pa.table({"a": list(range(1000)), "b": ["é"] * 1000})
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        pa.ipc.new_file(file, rows.schema) as sink,
    ):
        sink.write_table(rows)
    with (
        pa.OSFile(str(tmp_path / "b.arrow"), "wb") as file,
        pa.ipc.new_stream(file, rows.schema) as sink,
    ):
        sink.write_table(rows, max_chunksize=300)
    for name in ("a.arrow", "b.arrow"):
        items = read(arrow.read, tmp_path, path=name)
        assert told(items) == [{"a": at, "b": "é"} for at in range(1000)]
        assert items[999].place == f"{name}[999]"


def test_an_arrow_file_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    rows = pa.table({"a": list(range(1000))})
    with (
        pa.OSFile(str(tmp_path / "s.arrow"), "wb") as file,
        pa.ipc.new_stream(file, rows.schema) as sink,
    ):
        sink.write_table(rows, max_chunksize=500)
    good = (tmp_path / "s.arrow").read_bytes()
    bad = {"cut": good[: len(good) - 600], "empty": b"", "text": b"hello world", "half": b"ARROW1x"}
    for name, data in bad.items():
        (tmp_path / f"{name}.arrow").write_bytes(data)
    *_, last = told(read(arrow.read, tmp_path, path="cut.arrow"))
    assert last == "cut.arrow[500]: damaged from here on"
    assert told(read(arrow.read, tmp_path, path=["empty.arrow", "text.arrow", "half.arrow"])) == [
        "empty.arrow: the file is empty",
        "text.arrow: not an Arrow file, or damaged",
        "half.arrow: not an Arrow file, or damaged",
    ]


# -- xlsx ----------------------------------------------------------------------------------------


def book(path: Path, *rows: list[Any], sheet: str = "Data") -> None:
    made = openpyxl.Workbook()
    made.active.title = sheet
    for row in rows:
        made.active.append(row)
    made.create_sheet("Other").append(["z"])
    made["Other"].append([1])
    made.save(path)


def sheet(folder: Path, row: Record | None = None, **args: Any) -> list[Any]:
    return told(read(xlsx.read, folder, row, path="in.xlsx", **args))


def test_cells_are_read_as_the_declared_types(tmp_path: Path) -> None:
    book(
        tmp_path / "in.xlsx",
        ["q", "n", "x", "ok", "tags", "day", "at"],
        ["007", 3, 0.1, True, '["a"]', dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4)],
        [],
        [5, None, 2, False, "[]", None, None],
        ["b", "many", 1, True, "[]"],
    )
    day = {"day": optional(STR), "at": optional(STR)}
    row = record(q=STR, n=optional(INT), x=FLOAT, ok=BOOL, tags=List(STR), **day)
    assert sheet(tmp_path, row) == [
        {
            "q": "007",
            "n": 3,
            "x": 0.1,
            "ok": True,
            "tags": ["a"],
            "day": "2024-01-02",
            "at": "2024-01-02T03:04:00",
        },
        {"q": "5", "n": None, "x": 2, "ok": False, "tags": [], "day": None, "at": None},
        'in.xlsx Data:5: .n: expected int, found "many"',
    ]


def test_a_sheet_is_chosen_by_its_name_and_else_the_first(tmp_path: Path) -> None:
    book(tmp_path / "in.xlsx", ["a"], ["x"])
    assert sheet(tmp_path) == [{"a": "x"}]
    assert sheet(tmp_path, sheet="Other") == [{"z": "1"}]
    assert sheet(tmp_path, sheet="None") == ["in.xlsx: has no sheet `None`; it has `Data`, `Other`"]


def test_cells_without_a_value_and_lines_too_long_are_rejects(tmp_path: Path) -> None:
    book(tmp_path / "in.xlsx", ["a", "b"], [1, "=A2+1"], ["x"], [1, 2, 3], ["#DIV/0!", 1])
    assert sheet(tmp_path) == [
        "in.xlsx Data:2: cell B2 holds a formula that was never calculated",
        {"a": "x", "b": ""},
        "in.xlsx Data:4: has 3 cells, the header 2",
        "in.xlsx Data:5: cell A5 holds the error #DIV/0!",
    ]


def test_a_spreadsheet_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    book(tmp_path / "good.xlsx", ["a"], ["x"])
    book(tmp_path / "twins.xlsx", ["a", "a"], ["x", "y"])
    book(tmp_path / "blank.xlsx")
    good = (tmp_path / "good.xlsx").read_bytes()
    bad = {
        "cut": good[: len(good) // 2],
        "empty": b"",
        "old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "text": b"hello",
    }
    for name, data in bad.items():
        (tmp_path / f"{name}.xlsx").write_bytes(data)
    names = [f"{name}.xlsx" for name in [*bad, "twins", "blank"]]
    assert told(read(xlsx.read, tmp_path, path=names)) == [
        "cut.xlsx: not a spreadsheet (.xlsx), or damaged",
        "empty.xlsx: the file is empty",
        "old.xlsx: encrypted, or an old `.xls`: save it as `.xlsx` without a password",
        "text.xlsx: not a spreadsheet (.xlsx), or damaged",
        "twins.xlsx: 2 columns are called `a`",
        "blank.xlsx Data: has no line that names the columns",
    ]


cell_words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12
)
sheet_rows = st.lists(
    st.fixed_dictionaries(
        {
            "text": cell_words.map(lambda word: f"={word}."),
            "n": st.none() | ints,
            "x": floats,
            "ok": st.booleans(),
            "list": st.lists(cell_words, max_size=2),
            "any": json_of(cell_words),
        }
    ),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(sheet_rows)
def test_any_rows_come_back_from_a_spreadsheet(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "in.xlsx").write_bytes(written(Xlsx, rows, SMALL))
        assert sheet(Path(folder), SMALL) == rows


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * 32_768, ".a: a cell holds 32767 characters, found 32768"),
        ("a\0b", ".a: a cell cannot hold the character '\\x00'"),
        (float("nan"), ".a: expected a JSON value, found nan"),
    ],
)
def test_what_a_cell_cannot_hold_is_a_misfit_and_leaves_no_trace(
    tmp_path: Path, value: Any, message: str
) -> None:
    out = Memory()
    writer = Xlsx(out, record(b=STR, a=JSON))
    with pytest.raises(Misfit) as caught:
        writer.put({"b": "fine", "a": value})
    assert str(caught.value) == message
    writer.close()
    (tmp_path / "in.xlsx").write_bytes(out.data)
    assert sheet(tmp_path) == []


# -- datasets ------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No hub, and a cache of one's own."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    return cache


def dataset(folder: Path, **args: Any) -> list[Any]:
    return told(read(hf.read, folder, None, **args))


@pytest.mark.usefixtures("offline")
def test_a_dataset_is_a_folder_of_parquet_or_json_lines(tmp_path: Path) -> None:
    (tmp_path / "pq").mkdir()
    (tmp_path / "pq" / "train.parquet").write_bytes(written(Parquet, [RICH, POOR], ROW))
    (tmp_path / "pq" / "test.parquet").write_bytes(written(Parquet, [POOR], ROW))
    (tmp_path / "jl").mkdir()
    (tmp_path / "jl" / "data.jsonl").write_bytes(written(Jsonl, [{"a": 1}, {"a": 2}], ROW))
    assert dataset(tmp_path, name="pq") == [RICH, POOR]
    assert dataset(tmp_path, name="pq", split="test") == [POOR]
    assert dataset(tmp_path, name="jl") == [{"a": 1}, {"a": 2}]
    assert read(hf.read, tmp_path, name="jl")[1].place == "jl/train[1]"


@pytest.mark.usefixtures("offline")
def test_what_save_to_disk_wrote_is_read(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list([{"a": "x", "n": 1}, {"a": "y", "n": 2}])
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=rows, test=rows.select([1])).save_to_disk(tmp_path / "two")
    assert dataset(tmp_path, name="one") == [{"a": "x", "n": 1}, {"a": "y", "n": 2}]
    assert dataset(tmp_path, name="two", split="test") == [{"a": "y", "n": 2}]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "none/at/all"}, "there is no folder `none/at/all` in "),
        ({"name": "./none"}, "there is no folder `./none` in "),
        ({"name": "some/thing"}, "cannot read the dataset `some/thing`: couldn't reach "),
        ({"name": "ok", "split": "val"}, "`ok`: bad split: val. Available splits: ['train']"),
        ({"name": "ok", "config": "x"}, "`ok`: BuilderConfig 'x' not found."),
        ({"name": "bare"}, "cannot read the dataset in `bare`: the directory at "),
    ],
)
def test_a_dataset_that_is_not_there_is_one_line_before_any_row(
    tmp_path: Path, args: dict[str, str], message: str
) -> None:
    (tmp_path / "ok").mkdir()
    (tmp_path / "ok" / "data.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError) as caught:
        dataset(tmp_path, **args)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("offline")
def test_damage_within_a_dataset_is_a_reject_with_its_place(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "data.jsonl").write_text('{"a": 1}\n{"a":\n')
    (only,) = dataset(tmp_path, name="ds")
    assert only.startswith("ds/train[0]: cannot be read from here on: JSON parse error")
    assert capfd.readouterr() == ("", "")


def test_datasets_loads_what_is_written(tmp_path: Path, offline: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(written(Parquet, [RICH, POOR], ROW))
    (tmp_path / "a.jsonl").write_bytes(written(Jsonl, [{"a": "é", "n": 1}], ROW))
    for kind, file, expected in [
        ("parquet", "a.parquet", [RICH, POOR]),
        ("json", "a.jsonl", [{"a": "é", "n": 1}]),
    ]:
        loaded = datasets.load_dataset(
            kind, data_files=str(tmp_path / file), split="train", cache_dir=str(offline)
        )
        assert list(loaded) == expected
    assert json.loads((tmp_path / "a.jsonl").read_text())


# -- damage --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Good files by their names, and the bytes that they have."""
    folder = tmp_path_factory.mktemp("whole")
    rows = pa.table({"a": [f"text {n}" for n in range(200)], "l": [[n, None] for n in range(200)]})
    pq.write_table(rows, folder / "a.parquet", row_group_size=50)
    for name, begin in (("a.arrow", pa.ipc.new_file), ("b.arrow", pa.ipc.new_stream)):
        with pa.OSFile(str(folder / name), "wb") as file, begin(file, rows.schema) as sink:
            sink.write_table(rows, max_chunksize=50)
    book(folder / "a.xlsx", ["a", "l"], *([f"text {n}", n] for n in range(20)))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers())
def test_random_damage_never_crashes_a_reader_of_tables(whole: dict[str, bytes], seed: int) -> None:
    chance = random.Random(seed)
    readers = {"a.parquet": parquet, "a.arrow": arrow, "b.arrow": arrow, "a.xlsx": xlsx}
    with TemporaryDirectory() as folder:
        for name, reader in readers.items():
            data = bytearray(whole[name])
            for _ in range(chance.randrange(1, 5)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            data = data[: chance.choice([len(data), chance.randrange(len(data))])]
            (Path(folder) / name).write_bytes(data)
            for item in told(read(reader.read, Path(folder), path=name)):
                assert isinstance(item, dict) or item.startswith(name)


def test_a_record_that_contains_itself_is_a_column_of_json(tmp_path: Path) -> None:
    below = Field("below", List(Again(name="Tree")))
    tree = Again(name="Tree", group=(Record((Field("n", INT), below), "Tree"),))
    rows = [{"n": 1, "below": [{"n": 2, "below": []}], "first": None}]
    row = tree.having("first", optional(tree))
    file = tmp_path / "trees.parquet"
    file.write_bytes(written(Parquet, rows, row))
    assert pq.read_table(file).to_pylist() == [
        {"n": 1, "below": ['{"n":2,"below":[]}'], "first": None}
    ]
