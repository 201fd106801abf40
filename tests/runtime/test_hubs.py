"""Datasets are read from hubs and put there, by the protocols that the hubs speak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.sources import modelscope
from tests.hub import Hub, running_hub
from tests.runtime.items import read, told
from tests.runtime.programs import Folder

CARD = b"""---
configs:
- config_name: sums
  data_files:
  - split: test
    path: s/*
---
"""
ROWS = [{"q": f"{n}+1?", "a": n + 1} for n in range(5)]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(rows: list[dict[str, Any]]) -> bytes:
    made = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), made)
    return made.getvalue()


def command(
    folder: Path, hub: Hub, *further: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """``dpipe run`` with this hub for the only one; the library reads that when it is loaded."""
    return subprocess.run(
        [sys.executable, "-m", "dpipe.cli.main", "run", "main.dpipe", *further],
        cwd=folder,
        env={
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )


# -- Hugging Face --------------------------------------------------------------------------------


def test_a_dataset_goes_from_the_hub_through_a_program_back_to_the_hub(
    tmp_path: Path, hub: Hub
) -> None:
    hub.datasets["ann/sums"] = {"README.md": CARD, "s/a.parquet": table(ROWS), "x.txt": b"x"}
    hub.datasets["ann/out"] = {"data/old.parquet": b"of an earlier run", "notes.md": b"mine"}
    Folder(tmp_path).write(
        "main.dpipe",
        """dpipe 1
source sums: { q: str, a: int } = hf("ann/sums", split: "test", config: "sums", revision: "main")
sink out = sums | sample(3) | hf_dataset("out/ds", license: "mit", push: "ann/out")
""",
    )
    done = command(tmp_path, hub, HF_TOKEN="hf_secret")
    assert done.returncode == 0, done.stdout + done.stderr
    pushed = hub.datasets["ann/out"]
    assert sorted(pushed) == ["README.md", "data/train.parquet", "notes.md"]
    assert pushed["README.md"] == (tmp_path / "out/ds/README.md").read_bytes()
    rows = pq.read_table(BytesIO(pushed["data/train.parquet"])).to_pylist()
    assert len(rows) == 3
    assert all(row in ROWS for row in rows)
    assert "Bearer hf_secret" in hub.tokens
    assert "hf_secret" not in done.stdout + done.stderr


def test_what_is_pushed_is_private_and_a_sample_is_not_pushed(tmp_path: Path, hub: Hub) -> None:
    Folder(tmp_path).write(
        "main.dpipe",
        'dpipe 1\nsource n = repeat(5)\nsink out = n | hf_dataset("ds", push: "ann/new")\n',
    )
    done = command(tmp_path, hub, "--sample", "2", HF_TOKEN="hf_secret")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hub.asked == []
    done = command(tmp_path, hub, HF_TOKEN="hf_secret")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hub.private == {"ann/new": True}


def test_a_hub_that_refuses_is_one_line_and_the_files_stand(tmp_path: Path, hub: Hub) -> None:
    hub.refuses = True
    Folder(tmp_path).write(
        "main.dpipe",
        'dpipe 1\nsource n = repeat(5)\nsink out = n | hf_dataset("ds", push: "bob/new")\n',
    )
    done = command(tmp_path, hub, HF_TOKEN="hf_secret")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot push to the dataset `bob/new`: 403 Forbidden: You don't have" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(pq.read_table(tmp_path / "ds/data/train.parquet")) == 5


@pytest.mark.parametrize(
    ("name", "environ", "message"),
    [
        ("ann/new", {"HF_TOKEN": ""}, "`push:` of `ann/new` needs a token of the hub"),
        ("not a name", {"HF_TOKEN": "hf_x"}, '`push: "not a name"` is no name of a dataset'),
    ],
)
def test_what_cannot_be_pushed_is_told_before_the_first_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, environ: Any, message: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", environ["HF_TOKEN"])
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    text = f'dpipe 1\nsource n = repeat(5)\nsink out = n | hf_dataset("ds", push: "{name}")\n'
    with pytest.raises(UsageError) as caught:
        Folder(tmp_path).run(text)
    assert message in caught.value.message


# -- ModelScope ----------------------------------------------------------------------------------


def scoped(hub: Hub, project: Path, /, **args: str) -> list[Any]:
    return told(read(modelscope.read, project, name="ann/sums", hub=hub.url, **args))


def test_files_of_modelscope_are_read_by_their_splits(hub: Hub, tmp_path: Path) -> None:
    hub.datasets["ann/sums"] = {
        "README.md": b"",
        "dataset_infos.json": b"{}",
        "data/train-1.jsonl": lines(ROWS[:2]),
        "data/train-2.jsonl": lines(ROWS[2:4]),
        "data/test.jsonl": lines(ROWS[4:]),
    }
    assert scoped(hub, tmp_path) == ROWS[:4]
    assert scoped(hub, tmp_path, split="test") == ROWS[4:]


def test_files_without_a_split_are_for_training_and_a_folder_is_a_part(
    hub: Hub, tmp_path: Path
) -> None:
    others = {f"raw/{n}.txt": b"" for n in range(150)}
    hub.datasets["ann/sums"] = {"b/x.csv": b"q,a\n?,1\n", **others, "c/x.parquet": table(ROWS)}
    assert scoped(hub, tmp_path, folder="c") == ROWS
    assert scoped(hub, tmp_path, config="b") == [{"q": "?", "a": 1}]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "ann/none"}, "cannot read the dataset `ann/none`: HTTP Error 404: Not Found"),
        ({"name": "ann/sums", "split": "test"}, "the dataset `ann/sums` has no split `test`"),
        ({"name": "ann/sums", "folder": "z"}, "the dataset `ann/sums` has no split `train`"),
        ({"name": "ann/sums"}, "the files of `ann/sums` are of several kinds: csv, json"),
    ],
)
def test_a_dataset_that_modelscope_does_not_have_is_one_line(
    hub: Hub, tmp_path: Path, args: dict[str, str], message: str
) -> None:
    hub.datasets["ann/sums"] = {"x.csv": b"q\n1\n", "x.jsonl": b"{}\n"}
    with pytest.raises(UsageError) as caught:
        read(modelscope.read, tmp_path, hub=hub.url, **args)
    assert caught.value.message == message
