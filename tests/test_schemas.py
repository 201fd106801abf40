"""The published schemas hold for what dpipe writes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import dpipe
from dpipe.lang.render import render
from dpipe.runtime.record import find_project

SCHEMAS = Path(__file__).parent.parent / "docs/schemas"


def _schema(name: str) -> dict[str, object]:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "p.dpipe"
    path.write_text(
        'dpipe 1\nmodel m = openai("a", url: "simulated:")\n'
        'source s: { n: int } = jsonl("in.jsonl")\n'
        'prompt p(n: int) -> str {\n  user: "{n}"\n}\n'
        'sink out = s | ask(p, using: m, as: .x) | jsonl("out.jsonl")\n'
    )
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": "a"}\n')
    return path


def test_diagnostics_as_json(program: Path) -> None:
    program.write_text(
        program.read_text().replace("as: .x", "as: .x, usin: m").replace("{n}", "{k}")
    )
    result = dpipe.check(program)
    found = json.loads(render(result.diagnostics, result.sources, "json"))
    assert len(found["diagnostics"]) >= 2
    jsonschema.validate(found, _schema("diagnostics"))


def test_the_files_of_a_run(program: Path) -> None:
    result = dpipe.run(program)
    folder = find_project(program).runs / result.id
    for name in ("run", "ledger", "result"):
        jsonschema.validate(json.loads((folder / f"{name}.json").read_text()), _schema(name))
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert lines
    for line in lines:
        jsonschema.validate(json.loads(line), _schema("events"))


def test_the_result_as_json(program: Path) -> None:
    from dpipe.cli.ending import as_json

    jsonschema.validate(json.loads(as_json(dpipe.run(program))), _schema("run-result"))
