"""Whole programs that read and write every format, checked and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import datasets
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpipe.lang.compile import compile_program
from dpipe.project import bundled, load
from dpipe.runtime.errors import UsageError
from tests.runtime.programs import Folder
from tests.runtime.test_documents import PNG

ROWS = [{"id": n, "q": f"{n}+1?", "a": str(n + 1), "bad": "0", "tags": ["x"]} for n in range(3)]
SEED = "source seed: { id: int, q: str, a: str, bad: str, tags: [str] } = "


def seeded(root: Path) -> Folder:
    folder = Folder(root)
    folder.rows("seed.jsonl", ROWS)
    return folder


def test_rows_go_through_every_table_and_come_back(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(f"""dpipe 1
{SEED}jsonl("seed.jsonl")
sink one = seed | parquet("out/a.parquet")
sink two = seed | xlsx("out/a.xlsx")
""")
    pq.write_table(pq.read_table(tmp_path / "out/a.parquet"), tmp_path / "plain.parquet")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file:
        table = pa.Table.from_pylist(ROWS)
        with pa.ipc.new_file(file, table.schema) as sink:
            sink.write_table(table)
    for reader in (
        'parquet("out/a.parquet")',
        'parquet("plain.parquet")',
        'xlsx("out/a.xlsx", sheet: "Sheet1")',
        'arrow("a.arrow")',
        'hf("out")',
    ):
        folder.run(f'dpipe 1\n{SEED}{reader}\nsink back = seed | jsonl("back.jsonl")\n')
        assert folder.read("back.jsonl") == ROWS


def test_a_training_set_is_bound_from_the_row(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(f"""dpipe 1
{SEED}jsonl("seed.jsonl")
sink pairs = seed | dpo("out/dpo.jsonl", prompt: .q, chosen: .a, rejected: .bad, margin: 1.0)
sink wanted = seed | kto("out/kto.jsonl", prompt: .q, completion: .a, label: .id > 0)
sink chats = seed | verl_sft("out/sft.parquet", user: .q, assistant: .a, extra: {{ id: .id }})
sink tasks = seed
  | set(data_source: "sums", ability: "math")
  | verl_rl("out/rl.parquet", prompt: .q, ground_truth: .a, extra: {{ tags: .tags, "split": "a" }})
""")
    assert folder.read("out/dpo.jsonl")[2]["margin"] == 1.0
    assert [row["label"] for row in folder.read("out/kto.jsonl")] == [False, True, True]
    chats = pq.read_table(tmp_path / "out/sft.parquet")
    assert str(chats.schema.field("id").type) == "int64"
    assert chats.to_pylist()[1]["messages"][1] == {"role": "assistant", "content": "2"}
    tasks = pq.read_table(tmp_path / "out/rl.parquet").to_pylist()
    assert tasks[2]["extra_info"] == {"index": 2, "tags": ["x"], "split": "a"}
    assert tasks[2]["reward_model"] == {"style": "rule", "ground_truth": "3"}


def test_cells_of_a_spreadsheet_that_do_not_fit_are_rejects(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    book = openpyxl.Workbook()
    for line in (["q", "n"], ["a", 1], ["b", "many"]):
        book.active.append(line)
    book.save(tmp_path / "in.xlsx")
    result = folder.run(
        'dpipe 1\nsource s: { q: str, n: int } = xlsx("in.xlsx")\n'
        'sink o = s | jsonl("out/o.jsonl")\n'
    )
    assert result.exit_code == 1
    assert folder.read("out/o.jsonl") == [{"q": "a", "n": 1}]
    assert folder.read("out/o.rejects.jsonl")[0]["place"] == "in.xlsx Sheet:3"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('source s = hf("a/b")', "E0301", "source `s` needs a row type"),
        ('source s = parquet("a.parquet")', "E0301", "source `s` needs a row type"),
        ('source s: { a: str } = xlsx("a.xlsx", sheet: 1)', "E0303", "`sheet:` needs str"),
        ('source s = pdf("a.pdf", as: "words")', "E0310", '"words" is not one of "text", '),
        (
            'source s: { prompt: str, chosen: str } = jsonl("a")\nsink o = s | dpo("o.jsonl")',
            "E0507",
            "`dpo` needs `rejected: str`, which the row does not have",
        ),
        (
            "source s: { prompt: str, chosen: str, rejected: str? } = "
            'jsonl("a")\nsink o = s | dpo("o.jsonl")',
            "E0303",
            "`dpo` needs `rejected: str`, found str?",
        ),
        (
            'source s: { prompt: str, completion: str, label: int } = jsonl("a")\n'
            'sink o = s | kto("o.jsonl")',
            "E0303",
            "`kto` needs `label: bool`, found int",
        ),
    ],
)
def test_what_a_format_needs_is_checked(tmp_path: Path, text: str, code: str, message: str) -> None:
    folder = Folder(tmp_path)
    folder.write("main.dpipe", f"dpipe 1\n{text}\n")
    compiled = compile_program(str(tmp_path / "main.dpipe"), load, bundled())
    found = [(each.code, each.message) for each in compiled.diagnostics if each.code == code]
    assert found
    assert message in found[0][1]


DATASET = f"""dpipe 1
{SEED}jsonl("seed.jsonl")
flow parted = seed | set(part: if .id == 2 then "test" else "train")
sink ds = parted | hf_dataset("out/ds", split: "part", license: "mit", language: ["en", "zh"])
"""
CARD = """---
license: "mit"
language:
- "en"
- "zh"
size_categories:
- "n<1K"
tags:
- "dpipe"
configs:
- config_name: default
  data_files:
  - split: "test"
    path: "data/test.parquet"
  - split: "train"
    path: "data/train.parquet"
---

# ds

| split | rows |
| --- | --- |
| test | 1 |
| train | 2 |

| column | type | description |
| --- | --- | --- |
| `id` | `int` |  |
| `q` | `str` |  |
| `a` | `str` |  |
| `bad` | `str` |  |
| `tags` | `[str]` |  |

Made with dpipe.
"""


def test_a_dataset_is_a_folder_with_its_splits_and_a_card(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    result = folder.run(DATASET)
    assert [(output.path, output.rows) for output in result.outputs] == [("out/ds", 3)]
    data = ["out/ds/data", "out/ds/data/test.parquet", "out/ds/data/train.parquet"]
    assert folder.files() == ["out/ds", "out/ds/README.md", *data]
    loaded = datasets.load_dataset(str(tmp_path / "out/ds"), cache_dir=str(tmp_path / "cache"))
    assert {name: list(part) for name, part in loaded.items()} == {
        "train": ROWS[:2],
        "test": ROWS[2:],
    }
    assert (tmp_path / "out/ds/README.md").read_text() == CARD


def test_a_dataset_is_the_same_bytes_the_second_time(tmp_path: Path) -> None:
    folder = seeded(tmp_path)

    def run() -> dict[Path, bytes]:
        folder.run(DATASET)
        return {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    assert run() == run()


def test_splits_of_a_dataset_are_read_back_one_by_one(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(DATASET)
    folder.run(f"""dpipe 1
{SEED}hf("out/ds", split: "train")
source more: {{ id: int, q: str, a: str, bad: str, tags: [str] }} = hf("out/ds", split: "test")
sink back = concat(seed, more) | sort(.id) | jsonl("back.jsonl")
""")
    assert folder.read("back.jsonl") == ROWS


def test_without_a_split_all_rows_are_for_training(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(f'dpipe 1\n{SEED}jsonl("seed.jsonl")\nsink ds = seed | hf_dataset("out/ds")\n')
    assert pq.read_table(tmp_path / "out/ds/data/train.parquet").to_pylist() == ROWS


def test_a_split_is_a_field_that_holds_a_name(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    program = f"""dpipe 1
{SEED}jsonl("seed.jsonl")
sink ds = seed | hf_dataset("out/ds", split: "a")
"""
    with pytest.raises(UsageError, match='`split: "none"` is no field of the row'):
        folder.run(program.replace('"a"', '"none"'))
    folder.run(program)
    assert len(datasets.load_dataset(str(tmp_path / "out/ds"), cache_dir=str(tmp_path / "c"))) == 3
    shutil.rmtree(tmp_path / "out/ds")
    folder.run(program.replace('"a"', '"q"'))
    messages = [reject["message"] for reject in folder.read("out/ds.rejects.jsonl")]
    assert messages[0] == '.q: expected a split\'s name, found "0+1?"'
    assert "configs" not in (tmp_path / "out/ds/README.md").read_text()


def test_a_dataset_of_each_value_is_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    program = f"""dpipe 1
{SEED}jsonl("seed.jsonl")
sink ds = seed | where(.id != 1) | hf_dataset("out/{{.id}}")
"""
    folder.run(program)
    assert pq.read_table(tmp_path / "out/2/data/train.parquet").to_pylist() == ROWS[2:]
    (tmp_path / "out/2/mine.txt").write_text("mine")
    folder.run(program.replace("!= 1", "== 0"))
    assert (tmp_path / "out/2/mine.txt").exists()


def test_pictures_are_data_urls_in_every_format(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "a.png").write_bytes(PNG)
    folder.run("""dpipe 1
source pictures = images("*.png")
sink lines = pictures | jsonl("out/a.jsonl")
sink table = pictures | parquet("out/a.parquet")
""")
    folder.run("""dpipe 1
source pictures: { path: str, image: image } = parquet("out/a.parquet")
sink back = pictures | jsonl("back.jsonl")
""")
    assert folder.read("back.jsonl") == folder.read("out/a.jsonl")
    url = "data:image/png;base64," + b64encode(PNG).decode()
    assert folder.read("back.jsonl") == [{"path": "a.png", "image": url}]


def test_a_dataset_is_not_written_over_the_one_that_is_read(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(DATASET)
    with pytest.raises(UsageError, match=r"sink `o` would write over `.*/out/ds/README\.md`"):
        folder.run(f"""dpipe 1
{SEED}hf("out/ds")
sink o = seed | hf_dataset("out/ds")
""")


STREAM = f'dpipe 1\n{SEED}jsonl("seed.jsonl")\nsink o = seed | where(.id > 0) | stdout()\n'


def test_rows_go_to_the_standard_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = seeded(tmp_path)
    result = folder.run(STREAM)
    assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == ROWS[1:]
    assert (result.exit_code, result.outputs) == (0, ())


def test_rejects_of_the_standard_output_lie_beside_the_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = seeded(tmp_path)
    result = folder.run(STREAM.replace(".id > 0", "1 / .id > 0"))
    assert [json.loads(line)["id"] for line in capfd.readouterr().out.splitlines()] == [1, 2]
    assert result.rejects == {"o.rejects.jsonl": 1}
    assert folder.read("o.rejects.jsonl")[0]["row"]["id"] == 0


def command(folder: Path, **options: Any) -> subprocess.Popen[str]:
    (folder / "main.dpipe").write_text(STREAM)
    run = [
        sys.executable,
        "-c",
        "import sys; from dpipe.cli.main import main; sys.exit(main())",
        "run",
        "main.dpipe",
    ]
    return subprocess.Popen(run, cwd=folder, stderr=subprocess.PIPE, text=True, **options)


def test_only_rows_go_to_the_standard_output_of_the_command(tmp_path: Path) -> None:
    seeded(tmp_path)
    with command(tmp_path, stdout=subprocess.PIPE) as process:
        out, err = process.communicate()
    assert [json.loads(line) for line in out.splitlines()] == ROWS[1:]
    assert "main.dpipe: done in " in err
    assert process.returncode == 0


def test_an_output_that_nobody_reads_is_told_in_one_line(tmp_path: Path) -> None:
    seeded(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    with command(tmp_path, stdout=writer) as process:
        os.close(writer)
        _, err = process.communicate()
    assert "error: cannot write to the standard output: broken pipe" in err
    assert process.returncode == 2
