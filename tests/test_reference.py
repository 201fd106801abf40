"""The reference is that of the tables, its examples run, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dpipe.lang.format import format_text
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.source import Source
from dpipe.lang.stages import ANSWERERS, STAGES
from scripts import reference

SPEC = (reference.ROOT / "SPEC.md").read_text("utf-8")


def test_the_pages_are_current() -> None:
    made = reference.pages()
    folder = reference.FOLDER
    here = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.md")}
    assert {name: path.read_text("utf-8") for name, path in here.items()} == made, (
        "run scripts/generate"
    )


@pytest.mark.parametrize("path", sorted(reference.EXAMPLES.glob("*.dpipe")), ids=lambda p: p.stem)
def test_an_example_is_in_the_one_layout_and_shown(path: Path) -> None:
    text = path.read_text("utf-8")
    assert format_text(Source(path.name, text)) == text
    assert "## Example" in (reference.FOLDER / f"{path.stem}.md").read_text("utf-8")


@pytest.mark.parametrize("name", STAGES)
def test_the_example_of_a_stage_uses_it(name: str) -> None:
    assert f"| {name}(" in (reference.EXAMPLES / f"{name}.dpipe").read_text("utf-8")


def test_the_example_of_answerers_uses_all_of_them() -> None:
    text = (reference.EXAMPLES / "answerers.dpipe").read_text("utf-8")
    assert [name for name in ANSWERERS if f"using: {name}([" not in text] == []


def test_every_declaration_of_the_builtins_is_told() -> None:
    declared = re.findall(r"^extern (\w+) (\w+)", reference.BUILTINS.read_text("utf-8"), re.M)
    told = [(e.kind, e.name) for e in reference.externs(reference.BUILTINS.read_text("utf-8"))]
    assert sorted(told) == sorted(declared)


def test_every_argument_is_explained() -> None:
    told = (*STAGES.values(), *ANSWERERS.values(), *FUNCTIONS.values())
    params = [param for one in told for param in one.params]
    assert [param.name for param in params if not param.doc] == []


def test_links_lead_to_pages_and_headings() -> None:
    titles = re.findall(r"^#+ (.*)$", SPEC, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for path in reference.FOLDER.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
            file, _, anchor = target.partition("#")
            assert (reference.FOLDER / file).exists(), target
            assert not anchor or anchor in anchors, target
