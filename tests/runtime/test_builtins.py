"""The declarations of the built-in readers, writers and aggregates agree with their Python."""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.resources import files
from typing import Any

import pytest

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Bag
from dpipe.lang.parse import parse_module
from dpipe.lang.source import Source

TEXT = files("dpipe.stdlib").joinpath("builtins.dpipe").read_text(encoding="utf-8")
BAG = Bag()
EXTERNS = [
    item
    for item in parse_module(Source("builtins.dpipe", TEXT), BAG).items
    if isinstance(item, syntax.ExternItem)
]
# What the runtime hands over itself: a reader's context; a writer's file and row type. A sink's
# first two parameters are what it is given and where, an aggregate's are fed or looked up.
GIVEN = {"context", "out", "row"}
TAKEN = {"source": set[str](), "sink": {"rows", "path"}, "metric": {"value", "using"}}


def target(item: syntax.ExternItem) -> Any:
    assert isinstance(item.value, syntax.Call)
    text = item.value.args[0].value
    assert isinstance(text, syntax.StringExpr)
    module, _, name = str(text.parts[0]).partition(":")
    return getattr(import_module(module), name)


def test_the_declarations_parse() -> None:
    assert [finding.message for finding in BAG] == []
    assert {item.kind for item in EXTERNS} == set(TAKEN)


@pytest.mark.parametrize("item", EXTERNS, ids=lambda item: f"{item.kind}-{item.name.text}")
def test_a_declaration_has_the_parameters_of_its_python(item: syntax.ExternItem) -> None:
    python = {name.rstrip("_") for name in inspect.signature(target(item)).parameters} - GIVEN
    assert {param.name.text for param in item.params} - TAKEN[item.kind] == python


@pytest.mark.parametrize("item", EXTERNS, ids=lambda item: f"{item.kind}-{item.name.text}")
def test_each_declaration_has_one_line_of_documentation_above(item: syntax.ExternItem) -> None:
    *_, blank, documentation = TEXT[: item.span.start].splitlines()
    assert blank == ""
    assert documentation.startswith("# ")
