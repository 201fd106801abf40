"""The quickstart with a real endpoint: the same file, another model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dpipe.cli.main import main
from tests.server import serving

ROOT = Path(__file__).parent.parent
KEY = "sk-quickstart-4711"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The quickstart in a project of its own, with one page to read beside its PDF."""
    home = tmp_path / "examples/quickstart"
    shutil.copytree(
        ROOT / "examples/quickstart", home, ignore=shutil.ignore_patterns("out", ".dpipe")
    )
    shutil.copy(ROOT / "dpipe.toml", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path / "SPEC.md")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "CONTRIBUTING.md", tmp_path / "docs")
    for name in ("LLM_URL", "LLM_MODEL", "LLM_KEY"):
        monkeypatch.delenv(name, raising=False)
    return home / "quickstart.dpipe"


def test_an_endpoint_answers_where_one_is_set(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(key=KEY, models=["big"]) as server:
        monkeypatch.setenv("LLM_URL", server.url)
        monkeypatch.setenv("LLM_MODEL", "big")
        monkeypatch.setenv("LLM_KEY", KEY)
        assert main(["run", str(program), "--progress", "none", "--format", "json"]) == 0
        told = capsys.readouterr()
    result = json.loads(told.out)
    [model] = result["models"]
    assert model["calls"] > 0
    assert (program.parent / "out/train.jsonl").read_text()
    assert KEY not in told.out + told.err
    for file in program.parent.parent.parent.rglob("*"):
        assert not (file.is_file() and KEY.encode() in file.read_bytes()), file


def test_an_endpoint_without_a_key_is_told_before_any_call(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLM_URL", "http://127.0.0.1:9/v1")
    assert main(["run", str(program)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error[P0003]: ")
    assert "LLM_KEY" in told


def test_a_stand_in_never_serves_an_endpoint(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(program), "--format", "json"]) == 0
    simulated = json.loads(capsys.readouterr().out)
    with serving() as server:
        monkeypatch.setenv("LLM_URL", server.url)
        monkeypatch.setenv("LLM_MODEL", "simulated")
        monkeypatch.setenv("LLM_KEY", KEY)
        assert main(["run", str(program), "--format", "json"]) == 0
        real = json.loads(capsys.readouterr().out)
    assert real["recalled"] == 0
    assert real["models"][0]["calls"] == simulated["models"][0]["calls"]
