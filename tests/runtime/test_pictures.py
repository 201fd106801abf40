"""Pictures lie as files beside the rows that have them."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from pathlib import Path

import pytest

from dpipe.runtime.errors import UsageError
from tests.runtime.programs import Folder
from tests.runtime.test_documents import PNG

OTHER = PNG + b"more"  # another picture to whoever looks at its bytes alone


def seeded(root: Path) -> Folder:
    """Two pages with one picture, one with another, one with none."""
    urls = ["data:image/png;base64," + b64encode(each).decode() for each in (PNG, PNG, OTHER)]
    rows = [{"input": f"what is {at}?", "output": "red", "image": u} for at, u in enumerate(urls)]
    folder = Folder(root)
    folder.rows("in.jsonl", [*rows, {"input": "and none?", "output": "none", "image": None}])
    return folder


HEAD = """dpipe 1
source pages: { input: str, output: str, image: image? } = jsonl("in.jsonl")
"""


def test_rows_have_the_paths_of_pictures_and_equal_ones_are_one_file(tmp_path: Path) -> None:
    folder = seeded(tmp_path)
    folder.run(f'{HEAD}sink out = pages | jsonl("out/a.jsonl", images_in: "pics")\n')
    one, two, three, none = folder.read("out/a.jsonl")
    assert list(one) == ["input", "output", "image"]
    assert one["image"] == two["image"] != three["image"]
    assert none["image"] is None
    assert (tmp_path / "out" / one["image"]).read_bytes() == PNG
    assert (tmp_path / "out" / three["image"]).read_bytes() == OTHER
    names = sorted(path.name for path in (tmp_path / "out/pics").iterdir())
    assert names == sorted({Path(one["image"]).name, Path(three["image"]).name})
    assert all(name.endswith(".png") for name in names)


@pytest.mark.parametrize("writer", ["json", "csv"])
def test_arrays_and_tables_have_paths_too(tmp_path: Path, writer: str) -> None:
    seeded(tmp_path).run(f'{HEAD}sink out = pages | {writer}("out/a", images_in: "pics")\n')
    with (tmp_path / "out/a").open() as file:
        rows = json.load(file) if writer == "json" else list(csv.DictReader(file))
    assert [bool(row["image"]) for row in rows] == [True, True, True, False]
    assert (tmp_path / "out" / rows[0]["image"]).read_bytes() == PNG


def test_parts_share_the_folder(tmp_path: Path) -> None:
    seeded(tmp_path).run(
        f'{HEAD}sink out = pages | jsonl("out/{{.output}}.jsonl", images_in: "p")\n'
    )
    assert len(list((tmp_path / "out/p").iterdir())) == 2


def test_an_image_set_comes_back_through_llama_factory(tmp_path: Path) -> None:
    """What Alpaca and ShareGPT hold beside is what LLaMA-Factory's columns name."""
    folder = seeded(tmp_path)
    entry = {"file_name": "a.json", "columns": {"images": "images"}}
    chat = {"file_name": "b.json", "formatting": "sharegpt", "columns": entry["columns"]}
    folder.write("out/dataset_info.json", json.dumps({"alpaca": entry, "chat": chat}))
    folder.run(f"""{HEAD}
flow seen = pages | where(.image != null) | set(images: [.image])
sink a = seen
  | alpaca("out/a.json", instruction: .input, images: .images, images_in: "pics")
sink b = seen
  | set(human: .input, gpt: .output)
  | sharegpt("out/b.json", images: .images, images_in: "pics")
""")
    for name in ("alpaca", "chat"):
        folder.run(f"""dpipe 1
source set = llama_factory("out", name: "{name}")
sink back = set | jsonl("back.jsonl")
""")
        rows = folder.read("back.jsonl")
        seen = [row["images"][0] for row in rows]
        sent = [row["image"] for row in folder.read("in.jsonl")[:3]]
        assert seen == sent
        assert [row["messages"][0]["content"] for row in rows] == [
            f"what is {at}?" for at in range(3)
        ]


@pytest.mark.parametrize("folder", ["/pics", "../pics", "a/../../b"])
def test_pictures_lie_beside_and_nowhere_else(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="is no folder beside the file"):
        seeded(tmp_path).run(f'{HEAD}sink out = pages | jsonl("a.jsonl", images_in: "{folder}")\n')


def test_a_link_does_not_lead_pictures_elsewhere(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (project / "pics").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="a link in it leads outside"):
        seeded(project).run(f'{HEAD}sink out = pages | jsonl("a.jsonl", images_in: "pics")\n')
    assert list((tmp_path / "elsewhere").iterdir()) == []
