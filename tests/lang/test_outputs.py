"""What tools read, for the example of every page: JSON by its schema, SARIF and GitHub by rule."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from dpipe.lang.codes import CODES
from dpipe.lang.compile import Compiled
from dpipe.lang.diagnostics import Diagnostic, Edit, Fix
from dpipe.lang.render import render
from dpipe.lang.source import Source
from tests.lang.test_pages import compiled, page

CHECKED = [code for code in CODES if not code.startswith("P")]
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/schemas/diagnostics.schema.json").read_text("utf-8")
)
_WHOLE = {"type": "integer", "minimum": 1}
_TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
_PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "properties": {"uri": {"type": "string", "pattern": r"^[\w.~/%+@!$&'()*,;=:<>-]+$"}},
        },
        "region": {
            "type": "object",
            "required": ["startLine"],
            "properties": dict.fromkeys(
                ("startLine", "startColumn", "endLine", "endColumn"), _WHOLE
            ),
        },
    },
}
_LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {"physicalLocation": _PLACE, "message": _TEXT, "id": {"type": "integer"}},
}
_REPLACEMENT = {
    "type": "object",
    "required": ["deletedRegion"],
    "properties": {"deletedRegion": _PLACE["properties"]["region"]},  # type: ignore[index]
}
_CHANGE = {
    "type": "object",
    "required": ["artifactLocation", "replacements"],
    "properties": {"replacements": {"type": "array", "minItems": 1, "items": _REPLACEMENT}},
}
_FIX = {
    "type": "object",
    "required": ["artifactChanges"],
    "properties": {"artifactChanges": {"type": "array", "minItems": 1, "items": _CHANGE}},
}
_RESULT = {
    "type": "object",
    "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
    "properties": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": _TEXT,
        "locations": {"type": "array", "minItems": 1, "items": _LOCATION},
        "relatedLocations": {"type": "array", "uniqueItems": True, "items": _LOCATION},
        "fixes": {"type": "array", "uniqueItems": True, "items": _FIX},
        "partialFingerprints": {
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
    },
}
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": _RESULT},
                },
            },
        },
    },
}
"""What SARIF 2.1.0 asks of the parts of a log that dpipe writes."""


@cache
def told(code: str) -> tuple[Compiled, tuple[Diagnostic, ...]]:
    found = compiled(page(code).told)
    return found, (*found.diagnostics, *found.notes)


@pytest.mark.parametrize("code", CHECKED)
def test_every_finding_as_json_fits_the_published_schema(code: str) -> None:
    found, findings = told(code)
    log = json.loads(render(findings, found.sources, "json"))
    jsonschema.validate(log, SCHEMA)
    assert code in {one["code"] for one in log["diagnostics"]}


@pytest.mark.parametrize("code", CHECKED)
def test_every_finding_as_sarif_keeps_the_rules_of_the_format(code: str) -> None:
    found, findings = told(code)
    log = json.loads(render(findings, found.sources, "sarif"))
    jsonschema.validate(log, SARIF)
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert driver["name"]
    assert len(set(ids)) == len(ids)
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        for region in regions(result):
            assert_ordered(region)


def regions(result: Any) -> list[Any]:
    """Every region of a result, wherever it stands."""
    if isinstance(result, list):
        return [region for each in result for region in regions(each)]
    if not isinstance(result, dict):
        return []
    here = [result[key] for key in ("region", "deletedRegion") if key in result]
    return here + [region for each in result.values() for region in regions(each)]


def assert_ordered(region: dict[str, int]) -> None:
    start = (region["startLine"], region.get("startColumn", 1))
    end = (region.get("endLine", region["startLine"]), region.get("endColumn", start[1]))
    assert start <= end


@pytest.mark.parametrize("code", CHECKED)
def test_every_finding_as_a_workflow_command_is_one_line_with_a_place(code: str) -> None:
    found, findings = told(code)
    lines = render(findings, found.sources, "github").splitlines()
    assert len(lines) == len(findings)
    shape = r"::(error|warning|notice) title=dpipe \(\w+\),file=[^,:]+(,\w+=\d+)*::.+"
    for line in lines:
        assert re.fullmatch(shape, line), line


def test_a_file_of_any_name_is_a_uri_in_sarif_and_one_property_on_github() -> None:
    name = "my data/50%, é:1.dpipe"
    source = Source(name, "abc")
    fix = Fix("write it", (Edit(source.span(0, 1), "x"),))
    finding = Diagnostic("E0113", "wrong", source.span(0, 1), fixes=(fix,))
    log = json.loads(render([finding], {name: source}, "sarif"))
    jsonschema.validate(log, SARIF)
    [result] = log["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == name
    assert ":" not in uri  # a relative path with a colon would begin with a scheme
    command = render([finding], {name: source}, "github")
    assert "file=my data/50%25%2C é%3A1.dpipe," in command
