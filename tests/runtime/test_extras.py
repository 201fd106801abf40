"""A package that is not installed is one line with the command that installs it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.extras import EXTRAS
from dpipe.runtime.python import load

ROOT = Path(__file__).parents[2]
SHARED = [
    f"dpipe.runtime.{name}" for name in ("sources.tables", "sinks.columns", "sinks.table_file")
]
PACKAGES = {"bs4": "beautifulsoup4", "docx": "python-docx"}


@pytest.mark.parametrize(
    ("target", "package", "extra"),
    [
        ("dpipe.runtime.sources.html:read", "bs4", "documents"),
        ("dpipe.runtime.sources.html:read", "markdownify", "documents"),
        ("dpipe.runtime.sources.docx:read", "docx", "documents"),
        ("dpipe.runtime.sources.xlsx:read", "openpyxl", "tables"),
        ("dpipe.runtime.sources.arrow:read", "pyarrow", "tables"),
        ("dpipe.runtime.sources.hf:read", "datasets", "hub"),
        ("dpipe.runtime.tokenizer:token_starts", "tokenizers", "tokens"),
        ("dpipe.runtime.sinks.hub:Hub", "huggingface_hub", "hub"),
        ("dpipe.runtime.sinks.xlsx:Xlsx", "openpyxl", "tables"),
        ("dpipe.runtime.sinks.parquet:Parquet", "pyarrow", "tables"),
    ],
)
def test_a_missing_extra_names_the_command(
    monkeypatch: pytest.MonkeyPatch, target: str, package: str, extra: str
) -> None:
    for name in (target.partition(":")[0], *SHARED):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as caught:
        load(target)
    assert caught.value.message == (
        f"the Python package `{package}` is not installed: run `pip install 'dpipe[{extra}]'`"
    )


def test_each_extra_holds_the_packages_that_are_told_of_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for package, extra in EXTRAS.items():
        listed = project["optional-dependencies"][extra]
        names = {re.split(r"[<>=\[]", line)[0] for line in listed}
        assert PACKAGES.get(package, package) in names


def test_a_module_that_is_not_there_is_no_extra() -> None:
    with pytest.raises(UsageError, match=r"cannot be loaded: No module named 'dpipe\.none'"):
        load("dpipe.none:read")
