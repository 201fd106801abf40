"""What a check promises of every run: which promises a program that was made breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dpipe.lang.format import format_text
from dpipe.lang.graph import Graph, SinkNode
from dpipe.lang.source import Source
from dpipe.lang.types import (
    Bool,
    Enum,
    Float,
    Int,
    Json,
    List,
    Null,
    Optional,
    Record,
    Str,
    Type,
    Union,
    Unknown,
    show_short,
)
from dpipe.runtime.result import RunResult
from dpipe.runtime.run import RunOptions, run
from tests.soundness.programs import Made, compiled

OURS = re.compile(r"object (of|is|has)|NoneType|Traceback|expected .*, found|'\w+'|has no text$")
"""In a reason: what a check should have told, or Python's own words."""


def broken(made: Made, folder: Path) -> list[str]:
    """What goes otherwise than promised, one line each; files are written into ``folder``."""
    found = [f"not formatted: {line}" for line in _layout(made)]
    first = _ran(made.text, folder / "a", found)
    if first is None:
        return found
    found += _ledger(first)
    found += _records(made, folder / "a")
    written = _files(folder / "a")
    again = _ran(made.text, folder / "a", found)
    if again is None or any(model.calls for model in again.models):
        found.append("the second run asks again")
    if _files(folder / "a") != written:
        found.append("the second run writes other bytes")
    _ran(made.text.replace('simulated:"', 'simulated:", concurrency: 1'), folder / "b", found)
    if _files(folder / "b") != written:
        found.append("one call at a time writes other bytes")
    return found


def _layout(made: Made) -> Iterator[str]:
    once = format_text(Source("t", made.text))
    if format_text(Source("t", once)) != once:
        yield "a second time it moves"
    after = compiled(once).graph
    if after is None or _plain(after) != _plain(made.compiled.graph):
        yield "another graph"


def _plain(graph: Graph | None) -> str:
    """A graph without the places that its parts have in the text."""
    return re.sub(r"Place\([^)]*\)", "", repr(graph))


def _ran(text: str, folder: Path, found: list[str]) -> RunResult | None:
    folder.mkdir(exist_ok=True)
    file = folder / "made.dpipe"
    file.write_text(text, encoding="utf-8")
    graph = compiled(text, file=str(file)).graph
    assert graph is not None
    try:
        return run(graph, RunOptions())
    except Exception as e:
        found.append(f"the run ended in {_innermost(e)!r}")
        return None


def _innermost(e: Exception) -> Exception:
    return _innermost(e.exceptions[0]) if isinstance(e, ExceptionGroup) else e


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("out/*"))}


def _ledger(result: RunResult) -> Iterator[str]:
    for node in result.nodes:
        if node.entered != node.passed + sum(node.reasons.values()):
            yield f"the ledger of {node.label}: {node}"


def _records(made: Made, folder: Path) -> Iterator[str]:
    assert made.compiled.graph is not None
    for node in made.compiled.graph.nodes:
        if not isinstance(node, SinkNode):
            continue
        path = folder / "out" / f"{node.name.removeprefix('out_')}.jsonl"
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                yield from _unlike(json.loads(line), node.row, node.name)
        rejects = path.with_suffix(".rejects.jsonl")
        if rejects.exists():
            for line in rejects.read_text("utf-8").splitlines():
                reason = json.loads(line)["message"]
                if OURS.search(reason):
                    yield f"{node.name} lost a row: {reason}"


def _unlike(value: Any, of: Type, at: str) -> Iterator[str]:
    """Where a value is not what its type says, to the last field; nothing is converted."""
    match of:
        case Optional(inner):
            if value is not None:
                yield from _unlike(value, inner, at)
        case List(inner):
            if not isinstance(value, list):
                yield f"{at} is no list: {value!r}"
                return
            for element in value:
                yield from _unlike(element, inner, f"{at}[]")
        case Record(fields=fields):
            if not isinstance(value, dict):
                yield f"{at} is no record: {value!r}"
                return
            for name in value.keys() - set(of.names()):
                yield f"{at} has `{name}`, which {show_short(of)} has not"
            for field in fields:
                yield from _unlike(value.get(field.name), field.type, f"{at}.{field.name}")
        case Union(options):
            if all(any(True for _ in _unlike(value, option, at)) for option in options):
                yield f"{at} is none of {show_short(of)}: {value!r}"
        case Json() | Unknown():
            return
        case _:
            if not _holds(of, value):
                yield f"{at} is no {show_short(of)}: {value!r}"


def _holds(of: Type, value: Any) -> bool:
    match of:
        case Null():
            return value is None
        case Str():
            return isinstance(value, str)
        case Enum(values):
            return value in values
        case Bool():
            return isinstance(value, bool)
        case Int(low, high):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and (low is None or value >= low) and (high is None or value <= high)
        case Float(low, high):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and (low is None or value >= low) and (high is None or value <= high)
        case _:
            return False
