"""What each reader gives, and how what cannot be read is told."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang.types import FLOAT, JSON, STR, Field, Int, Record, optional
from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display, find_inputs, inside, safe_name
from dpipe.runtime.sources import base, jsonl, markdown, pdf, repeat, rows, text
from dpipe.runtime.sources import csv as csv_source
from dpipe.runtime.sources import json as json_source
from dpipe.runtime.sources.base import Batches, Context, Reading, open_source
from dpipe.runtime.sources.encodings import decode, guess
from dpipe.runtime.values import Reject, Row
from tests.runtime.items import read, told

QA = Record((Field("q", STR), Field("n", optional(Int(1, 10)))), name="QA")


# -- paths ---------------------------------------------------------------------------------------


def tree(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def found(folder: Path, paths: str | list[str], *suffixes: str) -> list[str]:
    return [display(path, folder) for path in find_inputs(paths, folder, suffixes)]


def test_globs_and_folders_give_their_files_sorted_and_each_once(tmp_path: Path) -> None:
    tree(tmp_path, "d/b.txt", "d/a.txt", "d/sub/c.TXT", "d/x.pdf", "d/.git/h.txt", "e.txt")
    assert found(tmp_path, "d/*.txt") == ["d/a.txt", "d/b.txt"]
    assert found(tmp_path, "**/*.txt") == ["d/a.txt", "d/b.txt", "e.txt"]
    assert found(tmp_path, "d", ".txt") == ["d/a.txt", "d/b.txt", "d/sub/c.TXT"]
    assert found(tmp_path, ["e.txt", "d/b.txt", "**/*.txt"]) == ["e.txt", "d/b.txt", "d/a.txt"]


def test_a_file_is_found_once_whatever_links_lead_to_it(tmp_path: Path) -> None:
    tree(tmp_path, "d/a.txt")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "b.txt").symlink_to(tmp_path / "d" / "a.txt")
    assert found(tmp_path, "**/*.txt") == ["d/a.txt"]


def test_a_name_with_glob_characters_is_first_a_name(tmp_path: Path) -> None:
    tree(tmp_path, "a[1].txt", "a1.txt")
    assert found(tmp_path, "a[1].txt") == ["a[1].txt"]


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("no.txt", "P0001", "there is no file `no.txt` in "),
        ("no/a.txt", "P0001", "there is no file `no/a.txt` in "),
        (" ", "P0001", "is no path"),
        ([], "P0002", "no path is given"),
        ("", "P0002", "no path is given"),
        ("a\0b", "P0001", "is no path"),
        ("*.nope", "P0002", "`*.nope` matches no file in "),
        ("d", "P0002", "the folder `d` holds no `.txt` file"),
    ],
)
def test_a_missing_input_is_one_clear_line(
    tmp_path: Path, path: str | list[str], code: str, message: str
) -> None:
    tree(tmp_path, "d/a.md", "other.txt")
    with pytest.raises(UsageError) as caught:
        find_inputs(path, tmp_path, [".txt"])
    assert caught.value.code == code
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_told_with_what_its_folder_holds(tmp_path: Path) -> None:
    tree(tmp_path, "seeds.jsonl", "notes.txt")
    with pytest.raises(UsageError) as caught:
        find_inputs("seed.jsonl", tmp_path)
    assert caught.value.hint == "its folder holds `seeds.jsonl`"


def test_links_are_followed_before_a_path_counts_as_inside(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "link").symlink_to(outside)
    assert inside(project / "out" / "new.jsonl", project)
    assert not inside(project / "link" / "new.jsonl", project)
    assert not inside(project / ".." / "new.jsonl", project)


def test_a_file_outside_the_project_is_shown_relative_to_it(tmp_path: Path) -> None:
    assert display(tmp_path / "b" / "c.txt", tmp_path / "a") == "../b/c.txt"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("pregnancy week", "pregnancy week"),
        ("数学", "数学"),
        ("", "%empty"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("100%", "100%25"),
        ("NUL", "%4EUL"),
        ("con.txt", "%63on.txt"),
        (" a.", "%20a%2E"),
        ("x.rejects", "x%2Erejects"),
        ("a\nb\0", "a%0Ab%00"),
    ],
)
def test_values_become_names_that_every_file_system_holds(value: str, name: str) -> None:
    assert safe_name(value) == name


def test_long_values_are_cut_and_still_told_apart() -> None:
    one, two = safe_name("é" * 300 + "1"), safe_name("é" * 300 + "2")
    assert one != two
    assert max(len(one.encode()), len(two.encode())) < 150


tricky = st.text(st.sampled_from("aA.%2E/\\ ~\0éCON\ud800"), max_size=8) | st.text()


@given(tricky, tricky)
def test_no_two_values_share_a_name(one: str, two: str) -> None:
    names = {safe_name(one), safe_name(two)}
    assert len(names) == len({one, two})
    for name in names:
        assert name not in {"", ".", ".."}
        assert not set(name) & set('/\\\0:*?"<>|')
        name.encode()


# -- encodings -----------------------------------------------------------------------------------

ENGLISH, FRENCH, CHINESE = (
    "plain words\n",
    "déjà vu, été à Zürich\n",
    "数据集的质量决定模型的质量。\n",
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ENGLISH.encode(), ENGLISH),
        (FRENCH.encode(), FRENCH),
        (CHINESE.encode("utf-8-sig"), CHINESE),
        (CHINESE.encode("utf-16"), CHINESE),
        (ENGLISH.encode("utf-16-le"), ENGLISH),
        (ENGLISH.encode("utf-16-be"), ENGLISH),
        (FRENCH.encode("utf-32"), FRENCH),
        (CHINESE.encode("gb18030"), CHINESE),
        (FRENCH.encode("latin-1"), FRENCH),
        ("€ “quoted”".encode("cp1252"), "€ “quoted”"),
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"a\0b", "a\0b"),
        (b"", ""),
    ],
)
def test_encodings_are_told_from_the_bytes(data: bytes, expected: str) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (CHINESE.encode() * 3 + b"\xff", "not valid UTF-8 at byte 129"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0d\xff\xfe", "not a text: it holds bytes of no known encoding"),
        (b"\xff\xfea", "not valid UTF-16 at byte 2"),
        ((FRENCH * 3).encode() + b"\xed\xa0\x80", "not valid UTF-8 at byte 84"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_text_or_refused(data: bytes) -> None:
    try:
        decode(data).encode()
    except ValueError as e:
        assert str(e).startswith("not ")  # noqa: PT017


@given(st.text(max_size=200))
def test_utf8_text_is_read_as_it_is(value: str) -> None:
    if guess(value.encode()) == "utf-8":
        assert decode(value.encode()) == value.replace("\r\n", "\n").replace("\r", "\n")


# -- texts ---------------------------------------------------------------------------------------


def test_a_text_is_a_row_told_apart_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_bytes(b"one\r\n")
    (tmp_path / "d" / "b.txt").write_bytes(b"one\r\n")
    items = read(text.read, tmp_path, path="d/*.txt")
    assert told(items) == [
        {"path": "d/a.txt", "text": "one\n"},
        {"path": "d/b.txt", "text": "one\n"},
    ]
    assert [item.place for item in items] == ["d/a.txt", "d/b.txt"]
    assert len({item.key for item in items if isinstance(item, Row)}) == 2


def test_a_text_that_cannot_be_read_touches_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "b.txt").write_bytes(b"\0\x01\xff\xfe\xfd")
    (tmp_path / "c.txt").write_text(" \n")
    (tmp_path / "d.txt").write_text("fine too")
    assert told(read(text.read, tmp_path, path="*.txt")) == [
        {"path": "a.txt", "text": "fine"},
        "b.txt: not a text: it holds bytes of no known encoding",
        "c.txt: holds no text",
        {"path": "d.txt", "text": "fine too"},
    ]


def test_a_file_that_vanished_after_it_was_found_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")

    async def main() -> list[Any]:
        source = open_source(text.read, {"path": "a.txt"}, Context("s", tmp_path, tmp_path), None)
        os.remove(tmp_path / "a.txt")
        return told([item async for batch in source for item in batch])

    assert trio.run(main) == ["a.txt: cannot be read: no such file or directory"]


def test_a_missing_file_is_told_when_the_source_is_opened(tmp_path: Path) -> None:
    for reader in (
        text.read,
        markdown.read,
        jsonl.read,
        csv_source.read,
        json_source.read,
        pdf.text,
    ):
        with pytest.raises(UsageError):
            open_source(reader, {"path": "none"}, Context("s", tmp_path, tmp_path), None)


def test_a_source_tells_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    source = open_source(text.read, {"path": "*.txt"}, Context("s", tmp_path, tmp_path), None)
    assert source.files == (tmp_path / "a.txt",)


def test_markdown_keeps_its_text_without_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: x\n---\n\n# Head\n\n---\ntext\n")
    (tmp_path / "b.md").write_text("# Head\n---\nnot: front matter\n---\n")
    (tmp_path / "c.md").write_text("---\nno end\n")
    assert [row["text"] for row in told(read(markdown.read, tmp_path, path="*.md"))] == [
        "# Head\n\n---\ntext\n",
        "# Head\n---\nnot: front matter\n---\n",
        "---\nno end\n",
    ]


# -- jsonl ---------------------------------------------------------------------------------------


def lines(folder: Path, data: bytes, row: Record | None = None) -> list[Any]:
    (folder / "in.jsonl").write_bytes(data)
    return told(read(jsonl.read, folder, row, path="in.jsonl"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "not JSON: expecting ',' delimiter at line 1, column 8"),
        (b'{"a": NaN}', "not JSON: NaN is no number there"),
        (b'{"a": "\\ud800"}', "holds half a character (a lone surrogate such as `\\ud800`)"),
        (b'{"a": 1e999}', "a number is beyond what can be held"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number has too many digits"),
        (b'{"a": ' + b"[" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": "\xff\xfe"}', "not valid UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not valid UTF-8"),
        (b"[1, 2]", "expected a record, found a list"),
        (b"null", "expected a record, found null"),
        (b"{} {}", "not JSON: extra data at line 1, column 4"),
    ],
)
def test_a_broken_line_is_a_reject_with_its_place_and_reason(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = '{"a": "é"}'.encode()
    data = b"\n".join([good, line, good] + [good] * 10)
    assert lines(tmp_path, data)[:3] == [{"a": "é"}, f"in.jsonl:2: {reason}", {"a": "é"}]


def test_blank_lines_line_ends_and_marks_are_no_matter(tmp_path: Path) -> None:
    assert lines(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": 2}') == [{"a": 1}, {"a": 2}]
    assert lines(tmp_path, b"") == []


def test_a_key_that_comes_twice_has_its_last_value(tmp_path: Path) -> None:
    assert lines(tmp_path, b'{"a": 1, "a": 2}') == [{"a": 2}]


def test_a_zero_in_a_text_is_a_character_like_others(tmp_path: Path) -> None:
    assert lines(tmp_path, b'{"a": "x\\u0000y"}') == [{"a": "x\0y"}]


def test_a_line_may_be_of_any_length(tmp_path: Path) -> None:
    long = "x" * 5_000_000
    assert lines(tmp_path, json.dumps({"a": long}).encode()) == [{"a": long}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gb18030"])
def test_lines_in_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    data = '{"word": "plain ascii words"}\n{"word": "数据集的质量"}\n'.encode(encoding)
    assert lines(tmp_path, data) == [{"word": "plain ascii words"}, {"word": "数据集的质量"}]


def test_an_encoding_shows_late_in_a_long_file(tmp_path: Path) -> None:
    data = b'{"a": "ascii"}\n' * 100_000 + '{"a": "数据集"}\n'.encode("gb18030")
    assert lines(tmp_path, data)[-1] == {"a": "数据集"}


def test_a_character_across_the_end_of_the_sample_tells_the_encoding(tmp_path: Path) -> None:
    line = b'{"a": "' + b"x" * (1024 * 1024 - 8) + '据集"}\n'.encode()
    assert lines(tmp_path, line)[0]["a"].endswith("x据集")


def test_equal_lines_have_one_key_and_other_places(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n{"a": 2}\n{"a": 1}\n')
    one, two, three = read(jsonl.read, tmp_path, path="in.jsonl")
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert isinstance(three, Row)
    assert one.key == three.key != two.key
    assert [one.place, three.place] == ["in.jsonl:1", "in.jsonl:3"]


def test_rows_are_validated_against_the_declared_type(tmp_path: Path) -> None:
    data = b'{"q": "a", "n": 7.0, "z": 1}\n{"q": "a", "n": 11}\n{"n": 1}\n{"q": "b"}\n'
    assert lines(tmp_path, data, QA) == [
        {"q": "a", "n": 7},
        "in.jsonl:2: .n: expected 1..10, found 11",
        "in.jsonl:3: .q: expected str, but the field is missing",
        {"q": "b", "n": None},
    ]


def test_a_misfit_keeps_the_record_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"q": 5}\n')
    (reject,) = read(jsonl.read, tmp_path, QA, path="in.jsonl")
    assert reject == Reject("src", "error", ".q: expected str, found 5", "in.jsonl:1", {"q": 5})


@settings(max_examples=50, deadline=None)
@given(st.integers())
def test_random_damage_never_crashes_a_reader(seed: int) -> None:
    chance = random.Random(seed)
    good = ('{"q": "数据 é", "n": 3}\n' * 5).encode(chance.choice(["utf-8", "utf-16", "gb18030"]))
    data = bytearray(good)
    for _ in range(chance.randrange(6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    with TemporaryDirectory() as folder:
        for name, reader in READERS.items():
            (Path(folder) / name).write_bytes(data)
            for item in read(reader, Path(folder), path=name):
                check_readable(item, name)


READERS = {
    "a.jsonl": jsonl.read,
    "a.csv": csv_source.read,
    "a.json": json_source.read,
    "a.txt": text.read,
}


def check_readable(item: Row | Reject, name: str) -> None:
    assert item.place.startswith(name)
    if isinstance(item, Row):
        json.dumps(item.values, ensure_ascii=False).encode()
    else:
        assert item.message


# -- json ----------------------------------------------------------------------------------------


def document(folder: Path, data: str, **args: Any) -> list[Any]:
    (folder / "in.json").write_text(data)
    return told(read(json_source.read, folder, path="in.json", **args))


def test_json_gives_an_arrays_elements_or_one_record(tmp_path: Path) -> None:
    assert document(tmp_path, '[{"a": 1}, 5, {"a": 2}]') == [
        {"a": 1},
        "in.json[1]: expected a record, found a number",
        {"a": 2},
    ]
    assert document(tmp_path, '{"a": 1}') == [{"a": 1}]
    assert document(tmp_path, "[]") == []


def test_a_pointer_leads_to_the_records(tmp_path: Path) -> None:
    data = '{"data": {"a/b": [[{"x": 1}], [{"x": 2}, null]]}}'
    assert document(tmp_path, data, at="/data/a~1b/1") == [
        {"x": 2},
        "in.json/data/a~1b/1[1]: expected a record, found null",
    ]
    assert document(tmp_path, data, at="/data/none") == ["in.json: has nothing at `/data/none`"]
    with pytest.raises(UsageError, match="no JSON pointer"):
        document(tmp_path, data, at="data")


def test_a_broken_document_is_one_reject(tmp_path: Path) -> None:
    assert document(tmp_path, '[{"a": 1},\n {"a": }]') == [
        "in.json: not JSON: expecting value at line 2, column 8"
    ]
    assert document(tmp_path, "[" * 100_000) == ["in.json: nested too deeply"]
    assert document(tmp_path, '"text"') == ["in.json: expected a record, found a text"]
    assert document(tmp_path, "") == ["in.json: not JSON: expecting value at line 1, column 1"]


# -- csv -----------------------------------------------------------------------------------------


def table(folder: Path, data: str | bytes, row: Record | None = None, **args: Any) -> list[Any]:
    (folder / "in.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    return told(read(csv_source.read, folder, row, path="in.csv", **args))


def test_cells_stay_texts_without_a_declared_type(tmp_path: Path) -> None:
    assert table(tmp_path, 'a,b\r\n1,"x, ""y""\nz"\r\n\r\n2,\r\n') == [
        {"a": "1", "b": 'x, "y"\nz'},
        {"a": "2", "b": ""},
    ]


def test_cells_are_read_as_the_declared_types(tmp_path: Path) -> None:
    assert table(tmp_path, "q,n,z\na,3,0\nb,,0\nc,11,0\n", QA) == [
        {"q": "a", "n": 3},
        {"q": "b", "n": None},
        "in.csv:4: .n: expected 1..10, found 11",
    ]


def test_places_count_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('a\n"1\n2"\n3\n')
    assert [item.place for item in read(csv_source.read, tmp_path, path="in.csv")] == [
        "in.csv:2",
        "in.csv:4",
    ]


def test_ragged_and_broken_lines_are_rejects(tmp_path: Path) -> None:
    assert table(tmp_path, 'a,b\n1\n1,2,3\n"1"x,2\n3,4\n5,"6\n7,8\n') == [
        "in.csv:2: has 1 cells, the header 2",
        "in.csv:3: has 3 cells, the header 2",
        "in.csv:4: not a line of a table: ',' expected after '\"'",
        {"a": "3", "b": "4"},
        "in.csv:6: a quoted cell begins here and is never closed",
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "in.csv: has no line that names the columns"),
        ("a,b,a\n1,2,3\n", "in.csv: 2 columns are called `a`"),
    ],
)
def test_a_table_without_proper_columns_is_one_reject(
    tmp_path: Path, data: str, reason: str
) -> None:
    assert table(tmp_path, data) == [reason]


def test_bytes_of_no_encoding_spoil_their_line_only(tmp_path: Path) -> None:
    good = "数据集,é\n".encode()
    assert table(tmp_path, b"a,b\n" + good * 5 + b"\xff,x\n" + good)[4:] == [
        {"a": "数据集", "b": "é"},
        "in.csv:7: not valid UTF-8",
        {"a": "数据集", "b": "é"},
    ]


def test_a_table_may_have_other_encodings_separators_and_huge_cells(tmp_path: Path) -> None:
    assert table(tmp_path, "a;b\n数据;1\n".encode("gb18030"), separator=";") == [
        {"a": "数据", "b": "1"}
    ]
    assert table(tmp_path, "\ufeffa\tb\nx\ty\n".encode("utf-16"), separator="\t")[0]["b"] == "y"
    assert len(table(tmp_path, "a\n" + "x" * 1_000_000)[0]["a"]) == 1_000_000
    assert table(tmp_path, "a,\n1,\0\n") == [{"a": "1", "column 2": "\0"}]
    with pytest.raises(UsageError, match="not one character"):
        table(tmp_path, "a", separator=";;")


# -- rows, repeat, and readers of others ---------------------------------------------------------


def test_rows_of_the_program_are_placed_by_their_index(tmp_path: Path) -> None:
    items = read(rows.read, tmp_path, records=[{"a": 1}, 2])
    assert told(items) == [{"a": 1}, "src[1]: expected a record, found a number"]
    assert items[0].place == "src[0]"


def test_repeat_gives_rows_that_are_told_apart(tmp_path: Path) -> None:
    items = read(repeat.read, tmp_path, n=1000)
    assert told(items) == [{"index": index} for index in range(1000)]
    assert len({item.key for item in items if isinstance(item, Row)}) == 1000
    assert read(repeat.read, tmp_path, n=0) == []
    with pytest.raises(UsageError, match="at least 0"):
        read(repeat.read, tmp_path, n=-1)


def test_a_users_reader_is_an_async_generator_of_dicts(tmp_path: Path) -> None:
    closed = []

    async def mine(from_: int) -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"q": "x", "n": from_}
            yield {"q": 1}
            yield {"q": object()}
            yield "no record"  # type: ignore[misc]
        finally:
            closed.append(True)

    items = read(mine, tmp_path, QA, **{"from": 3})
    assert told(items) == [
        {"q": "x", "n": 3},
        "src[1]: .q: expected str, found 1",
        "src[2]: .q: expected str, found a Python object",
        "src[3]: expected a record, found a text",
    ]
    assert closed


def test_unknown_columns_go_into_extra_where_the_type_has_it(tmp_path: Path) -> None:
    row = Record((Field("a", FLOAT), Field("extra", JSON)))
    assert table(tmp_path, "a,b\n1.5,x\n", row) == [{"a": 1.5, "extra": {"b": "x"}}]


def test_a_reader_that_nobody_reads_to_the_end_closes_its_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n' * 2000)

    async def main() -> int:
        source = open_source(
            jsonl.read, {"path": "in.jsonl"}, Context("s", tmp_path, tmp_path), None
        )
        batches = aiter(source)
        first = await anext(batches)
        await batches.aclose()  # type: ignore[attr-defined]
        return len(first)

    # an open file would be a ResourceWarning, and warnings are errors
    assert 0 < trio.run(main) < 2000


def test_long_records_come_in_short_batches(tmp_path: Path) -> None:
    record = json.dumps({"a": "x" * 400_000})
    (tmp_path / "in.jsonl").write_text(f"{record}\n" * 7)

    async def main() -> list[int]:
        context = Context("s", tmp_path, tmp_path)
        source = open_source(jsonl.read, {"path": "in.jsonl"}, context, None)
        return [len(batch) async for batch in source]

    assert trio.run(main) == [3, 3, 1]


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_reader_that_is_cancelled_closes_its_file(
    tmp_path: Path, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "STRETCH", 0.0)
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n' * 2000)

    async def main() -> None:
        source = open_source(
            jsonl.read, {"path": "in.jsonl"}, Context("s", tmp_path, tmp_path), None
        )
        with trio.CancelScope() as scope:
            async with aclosing(aiter(source)) as rows:  # type: ignore[type-var]
                for _ in range(batches):
                    await anext(rows)
                scope.cancel()
                await anext(rows)
        assert scope.cancelled_caught

    trio.run(main)


# -- pdf -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good (text, blank, text), blank, locked, cut and false PDFs."""
    pymupdf: Any = pytest.importorskip("pymupdf")
    folder = tmp_path_factory.mktemp("papers")
    with pymupdf.open() as good, pymupdf.open() as blank:
        for line in ("first page", "", "third page é"):
            good.new_page().insert_text((72, 72), line)
        words = pymupdf.TextWriter(good[0].rect)
        words.append((72, 96), "oﬃce ﬁle", font=pymupdf.Font("tiro"))
        words.write_text(good[0])
        blank.new_page()
        good.save(folder / "good.pdf")
        blank.save(folder / "blank.pdf")
        good.save(
            folder / "locked.pdf",
            encryption=pymupdf.PDF_ENCRYPT_AES_256,
            user_pw="secret",
            owner_pw="owner",
        )
    (folder / "cut.pdf").write_bytes((folder / "good.pdf").read_bytes()[:300])
    (folder / "false.pdf").write_text("hello")
    (folder / "empty.pdf").write_bytes(b"")
    return folder


def test_a_document_is_a_row_and_its_silent_page_is_told(papers: Path) -> None:
    assert told(read(pdf.text, papers, path="good.pdf")) == [
        {"path": "good.pdf", "text": "first page\noffice file\n\nthird page é"},
        "good.pdf page 2: the page holds no text",
    ]


def test_pages_are_pictures_with_their_numbers(papers: Path) -> None:
    items = told(read(pdf.pages, papers, path="good.pdf"))
    assert [(item["path"], item["number"]) for item in items] == [
        ("good.pdf", n) for n in (1, 2, 3)
    ]
    assert all(item["page"].startswith("data:image/png;base64,iVBOR") for item in items)


@pytest.mark.parametrize("reader", [pdf.text, pdf.pages])
def test_a_document_that_cannot_be_read_is_one_reject(reader: Any, papers: Path) -> None:
    names = ["locked.pdf", "cut.pdf", "false.pdf", "empty.pdf"]
    assert told(read(reader, papers, path=names)) == [
        "locked.pdf: encrypted: it opens with a password only",
        "cut.pdf: not a PDF, or damaged beyond repair",
        "false.pdf: not a PDF, or damaged beyond repair",
        "empty.pdf: the file is empty",
    ]


def test_a_document_without_text_is_one_reject(papers: Path) -> None:
    assert told(read(pdf.text, papers, path="blank.pdf")) == [
        "blank.pdf: none of its pages (1) holds text that can be read: the page holds no text"
    ]


def test_the_literal_that_chose_the_declaration_may_be_given(papers: Path) -> None:
    assert len(read(pdf.pages, papers, path="good.pdf", **{"as": "pages"})) == 3


def test_a_cancelled_run_does_not_wait_for_a_file_that_takes_long_to_read() -> None:
    go_on = threading.Event()

    def slow() -> Batches:
        yield []
        go_on.wait(10)
        yield []

    async def main() -> None:
        with trio.move_on_after(0.2) as scope:
            async for _ in Reading((), slow):
                pass
        assert scope.cancelled_caught

    began = time.monotonic()
    trio.run(main)
    go_on.set()
    assert time.monotonic() - began < 5
