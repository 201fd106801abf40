"""Files that cannot give rows: without a declared column, and without text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from tests.cli.cli_driver import Dpipe
from tests.server import Server, serving

PROGRAM = """dpipe 1

model gen = openai("m", url: "URL")

source seeds = repeat(100)

source products: { name: str, kategory: str, note: str? } = READER

prompt tell(index: int) -> str { user: "Tell of {index}." }

sink asked = seeds | ask(tell, using: gen, as: .x) | jsonl("out/asked.jsonl")

sink out = products | jsonl("out/products.jsonl")
"""
ROWS = [{"name": f"Lamp {n}", "category": "Lighting", "price": n} for n in range(6)]


def write_csv(path: Path) -> None:
    path.write_text("name,category,price\n" + "Lamp,Lighting,3\n" * 6)


def write_xlsx(path: Path) -> None:
    book = Workbook()
    book.active.append(["name", "category", "price"])
    book.active.append(["Lamp", "Lighting", 3])
    book.save(path)


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_feather(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)


def write_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)


def write_jsonl(path: Path, rows: int = 6) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:rows]))


def program(reader: str, server: Server) -> None:
    Path("p.dpipe").write_text(PROGRAM.replace("READER", reader).replace("URL", server.url))


@pytest.mark.parametrize(
    ("reader", "write", "told"),
    [
        ('csv("in.csv")', write_csv, "`in.csv` has no column `kategory`; it has"),
        ('xlsx("in.xlsx")', write_xlsx, "`in.xlsx Sheet` has no column `kategory`; it has"),
        ('parquet("in.parquet")', write_parquet, "`in.parquet` has no column `kategory`; it has"),
        ('arrow("in.feather")', write_feather, "`in.feather` has no column `kategory`; it has"),
        ('arrow("in.arrow")', write_stream, "`in.arrow` has no column `kategory`; it has"),
        (
            'jsonl("in.jsonl")',
            write_jsonl,
            "`in.jsonl` has no field `kategory` in its first 6 records; they have",
        ),
    ],
)
def test_a_column_that_is_missing_is_told_before_any_call(
    dpipe: Dpipe, reader: str, write: Callable[[Path], None], told: str
) -> None:
    write(Path(reader.split('"')[1]))
    with serving() as server:
        program(reader, server)
        done = dpipe("run", "p.dpipe")
        assert server.stats().total == 0
    assert done.code == 2
    assert f"error[P0006]: source `products`: {told} `name`, `category`, `price`" in done.err
    assert "did you mean `category`?" in done.err


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("name;kategory;note", 'is it separated by `;`? then write `separator: ";"`'),
        ("name\tkategory", r'is it separated by `\t`? then write `separator: "\t"`'),
    ],
)
def test_another_separator_is_thought_of(dpipe: Dpipe, header: str, hint: str) -> None:
    Path("in.csv").write_text(f"{header}\nLamp\n")
    with serving() as server:
        program('csv("in.csv")', server)
        done = dpipe("run", "p.dpipe")
        assert server.stats().total == 0
        assert done.code == 2
        assert "has no columns `name` and `kategory`" in done.err
        assert hint in done.err
        separator = hint.split('"')[1]
        program(f'csv("in.csv", separator: "{separator}")', server)
        assert dpipe("run", "p.dpipe", "--only", "out").code == 1
        Path("in.csv").write_text(f"{header}\n")
        assert dpipe("run", "p.dpipe", "--only", "out").code == 0


def test_without_a_canary_the_rows_are_rejected_one_by_one(dpipe: Dpipe) -> None:
    write_csv(Path("in.csv"))
    with serving() as server:
        program('csv("in.csv")', server)
        done = dpipe("run", "p.dpipe", "--canary", "0")
        assert server.stats().total == 100
    assert done.code == 1
    assert "6 rows failed" in done.out


@pytest.mark.parametrize("text", ["", "\n\n", "name,name\n"])
def test_a_table_without_a_header_is_a_reject_as_ever(dpipe: Dpipe, text: str) -> None:
    Path("in.csv").write_text(text)
    source = 'source rows: { name: str } = csv("in.csv")'
    Path("p.dpipe").write_text(f'dpipe 1\n\n{source}\n\nsink out = rows | jsonl("o.jsonl")\n')
    done = dpipe("run", "p.dpipe")
    assert done.code == 1
    assert "1 row failed" in done.out


def test_a_few_records_of_json_lines_tell_nothing_of_the_others(dpipe: Dpipe) -> None:
    write_jsonl(Path("in.jsonl"), rows=4)
    with serving() as server:
        program('jsonl("in.jsonl")', server)
        assert dpipe("run", "p.dpipe").code == 1


@pytest.mark.parametrize(
    ("reader", "suffix", "data"),
    [
        ("text", "txt", b""),
        ("text", "txt", b" \n"),
        ("markdown", "md", b"---\ntitle: x\n---\n"),
        ("html", "html", b"<script>x</script>"),
        ("docx", "docx", b""),
    ],
)
def test_files_without_text_are_left_out_where_the_program_says_so(
    dpipe: Dpipe, reader: str, suffix: str, data: bytes
) -> None:
    Path("a." + suffix).write_bytes(data)
    sink = 'sink out = docs | jsonl("o.jsonl")'
    for option, code in (("", 1), (', empty: "reject"', 1), (', empty: "skip"', 0)):
        source = f'source docs = {reader}("*.{suffix}"{option})'
        Path("p.dpipe").write_text(f"dpipe 1\n\n{source}\n\n{sink}\n")
        done = dpipe("run", "p.dpipe")
        assert done.code == code
    assert re.search(r"docs +1 +0 +1 filtered", done.out)
    assert not Path("o.rejects.jsonl").exists()
    told = dpipe("explain", "--missing", f"a.{suffix}").err
    assert f"`a.{suffix}` holds no text, and `docs` leaves such files out" in told
