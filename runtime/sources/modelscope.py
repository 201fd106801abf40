"""Datasets of ModelScope: their Parquet, JSON and CSV files, streamed.

Its list of files says where they are; what reads them is the `datasets` library. Which split a
file belongs to is told by its name, as on the Hugging Face hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import urlopen

import datasets

from dpipe.runtime.errors import UsageError
from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.streaming import be_quiet, line_of, streamed

HUB = "https://www.modelscope.cn"
_KINDS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}
_INFOS = ("dataset_infos.json", "configuration.json")
_SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "val", "dev"),
}
_PAGE = 100
_SECONDS = 60


def read(
    name: str,
    split: str = "train",
    config: str = "",
    revision: str = "",
    folder: str = "",
    hub: str = HUB,
    *,
    context: Context,
) -> Reading:
    """The rows of one split of dataset ``name``, as ``owner/dataset``.

    ``config`` is the folder that holds its files, as ``folder`` is. Raises ``UsageError`` where
    there is no such dataset or split, or the hub cannot be reached.
    """
    be_quiet()
    revision = revision or "master"
    api = f"{hub}/api/v1/datasets/{quote(name)}"
    files = sorted(_data_files(api, name, revision, folder or config))
    chosen = _of_split(files, split)
    if not chosen:
        known = ", ".join(sorted({_split_of(file) or "train" for file in files})) or "none"
        message = f"the dataset `{name}` has no split `{split}`"
        raise UsageError(message, code="P0001", hint=f"its splits are {known}")
    kinds = {_KINDS[PurePosixPath(file).suffix] for file in chosen}
    if len(kinds) > 1:
        message = f"the files of `{name}` are of several kinds: {', '.join(sorted(kinds))}"
        raise UsageError(message, hint="name the folder of one kind with `folder:`")
    urls = [f"{hub}/datasets/{name}/resolve/{revision}/{quote(f)}" for f in chosen]
    try:
        rows = datasets.load_dataset(
            kinds.pop(), data_files={"only": urls}, split="only", streaming=True
        )
    except Exception as e:  # of whatever kind the library and its network make
        raise _unusable(name, e) from None
    return streamed(rows.with_format("arrow"), f"{name}/{split}")


def _data_files(at: str, name: str, revision: str, folder: str) -> Iterator[str]:
    """The paths of the files that hold rows."""
    for path in _paths(at, name, revision):
        file = PurePosixPath(path)
        below = not folder or file.is_relative_to(folder)
        if below and file.suffix in _KINDS and file.name not in _INFOS:
            yield path


def _paths(at: str, name: str, revision: str) -> Iterator[str]:
    page = 1
    while found := _page(at, name, revision, page):
        yield from (each["Path"] for each in found if each.get("Type") != "tree")
        if len(found) < _PAGE:
            return
        page += 1


def _page(at: str, name: str, revision: str, page: int) -> list[dict[str, Any]]:
    asked = {
        "Revision": revision,
        "Recursive": "true",
        "PageNumber": page,
        "PageSize": _PAGE,
    }
    url = f"{at}/repo/tree?{urlencode(asked)}"
    try:
        with urlopen(url, timeout=_SECONDS) as reply:
            found: list[dict[str, Any]] = json.load(reply)["Data"]["Files"]
    except HTTPError as e:
        e.close()
        raise _unusable(name, e) from None
    except (OSError, ValueError) as e:
        raise _unusable(name, e) from None
    except (KeyError, TypeError):
        message = f"cannot read the dataset `{name}`: the hub lists no files"
        raise UsageError(message, code="P0001") from None
    return found


def _of_split(files: list[str], split: str) -> list[str]:
    """The files of a split; where no name tells one all are for training."""
    named = {file: _split_of(file) for file in files}
    if not any(named.values()):
        return files if split == "train" else []
    return [file for file in files if named[file] == split]


def _split_of(file: str) -> str | None:
    """The split that a word of the path names, the nearest to its end."""
    for word in reversed(re.findall(r"[a-z]+", file.lower())):
        for split, words in _SPLITS.items():
            if word in words:
                return split
    return None


def _unusable(name: str, error: Exception) -> UsageError:
    return UsageError(f"cannot read the dataset `{name}`: {line_of(error)}", code="P0001")
