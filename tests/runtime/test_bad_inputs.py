"""Whole runs over inputs that are broken, or break while they are read."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from dpipe.runtime.events import AnyEvent, RunStarted
from tests.runtime.programs import Folder

JSONL = """dpipe 1
source docs: { id: int, text: str } = jsonl("in/*.jsonl")
sink out = docs | jsonl("out/all.jsonl")
"""
CSV = JSONL.replace('jsonl("in/*.jsonl")', 'csv("in/*.csv")')


def row(number: int) -> bytes:
    return b'{"id": %d, "text": "Stone %d"}\n' % (number, number)


def came_of(root: Path, program: str, **files: bytes) -> tuple[list[int], list[dict[str, Any]]]:
    """The ids that came out, and the rejects."""
    folder = Folder(root)
    for name, data in files.items():
        path = root / "in" / name.replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    result = folder.run(program)
    rejects = folder.read("out/all.rejects.jsonl") if result.rejects else []
    for node in result.nodes:
        assert node.entered == node.passed + sum(node.reasons.values())
    return [each["id"] for each in folder.read("out/all.jsonl")], rejects


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b'{"id": 2, "text": "half a pair \\ud800"}', "surrogate"),
        (b'{"id": NaN, "text": "no number"}', ""),
        (b'{"id": 2, "text": "x", "more": NaN}', ""),
        (b'{"id": 1e999, "text": "too large"}', ""),
        (b'{"id": 2, "text": "cut off', ""),
        (b'{"id": 2}', "text"),
        (b"[1, 2]", ""),
        (b"\x00\x00\x00\x00", ""),
        (b'{"id": 2, "text": "\xff\xfe no encoding \x81"}', ""),
        (b'{"id": 2, "text": "' + b"[" * 5000, ""),
        (b"[" * 100_000, ""),
    ],
    ids=str,
)
def test_a_bad_line_is_one_reject_with_its_place(tmp_path: Path, bad: bytes, message: str) -> None:
    data = row(1) + bad + b"\n" + row(3)
    ids, [reject] = came_of(tmp_path, JSONL, a_jsonl=data)
    assert ids == [1, 3]
    assert reject["place"] == "in/a.jsonl:2"
    assert reject["outcome"] == "error"
    assert message in reject["message"]
    assert len(reject["message"]) < 500


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + row(1) + row(2),
        (row(1) + row(2)).replace(b"\n", b"\r\n"),
        (row(1) + row(2)).decode().encode("utf-16"),
        row(1) + b"\n \n" + row(2)[:-1],
        b'{"id": 1, "text": "a\\u0000b", "id": 1}\n' + row(2),
    ],
)
def test_what_is_only_unusual_is_read(tmp_path: Path, data: bytes) -> None:
    assert came_of(tmp_path, JSONL, a_jsonl=data) == ([1, 2], [])


def test_lines_of_a_table_that_are_too_short_or_too_long_are_rejects(tmp_path: Path) -> None:
    data = b'id,text\r\n1,one\r\n2\r\n3,three,more\r\nno,number\r\n5,"a\r\nb"\r\n'
    ids, rejects = came_of(tmp_path, CSV, a_csv=data)
    assert ids == [1, 5]
    assert [each["place"] for each in rejects] == ["in/a.csv:3", "in/a.csv:4", "in/a.csv:5"]


def test_a_line_of_fifty_megabytes_is_read_in_bounded_memory(tmp_path: Path) -> None:
    long = b'{"id": 2, "text": "' + b"stone " * 8_700_000 + b'"}\n'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ids, rejects = came_of(tmp_path, JSONL, a_jsonl=row(1) + long + row(3))
    assert (ids, rejects) == ([1, 2, 3], [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        ("it vanishes", "cannot be read: no such file or directory"),
        ("it becomes a folder", "cannot be read: is a directory"),
        ("it becomes a link to itself", "cannot be read: too many levels of symbolic links"),
        ("its end is cut off", "JSON"),
    ],
)
def test_a_file_that_changes_during_the_run_is_one_reject(
    tmp_path: Path, happens: str, message: str
) -> None:
    folder, changing = Folder(tmp_path), tmp_path / "in/b.jsonl"
    changing.parent.mkdir()
    (tmp_path / "in/a.jsonl").write_bytes(row(1) + row(2))
    changing.write_bytes(row(3))

    def change(event: AnyEvent) -> None:
        if not isinstance(event, RunStarted):
            return
        changing.unlink()
        match happens:
            case "it becomes a folder":
                changing.mkdir()
            case "it becomes a link to itself":
                changing.symlink_to("b.jsonl")
            case "its end is cut off":
                changing.write_bytes(row(3)[:-9])

    result = folder.run(JSONL, observers=[change])
    assert result.status == "rows lost"
    assert [each["id"] for each in folder.read("out/all.jsonl")] == [1, 2]
    [reject] = folder.read("out/all.rejects.jsonl")
    assert reject["place"].startswith("in/b.jsonl")
    assert message in reject["message"]
