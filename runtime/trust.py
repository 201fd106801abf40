"""Whose Python may run: dpipe's own, and what the user lets run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from dpipe.lang.graph import (
    CallPython,
    Const,
    Graph,
    Metric,
    SinkNode,
    SourceNode,
    StageNode,
    TestDef,
)
from dpipe.runtime.errors import UsageError
from dpipe.runtime.python import OURS, file_of
from dpipe.runtime.settings import Settings


def check_trust(program: Graph | tuple[Graph, TestDef], settings: Settings, root: Path) -> None:
    """Refuse a program that names Python of its own, before any of it is loaded.

    Python of a file needs the user's leave or a trusted folder, Python of other packages the
    user's leave: a package's function can do anything as well.
    """
    for target in dict.fromkeys(targets(program)):
        file = file_of(target)
        trusted = settings.allow_python if file is None else settings.trusts(root, file)
        if not trusted and not target.startswith(OURS):
            raise UsageError(
                f'the program runs Python of its own, `python("{target}")`',
                hint="look at it, then add --allow-python, or its folder to `trust` in dpipe.toml",
            )


def targets(part: Any) -> Iterator[str]:
    """All Python that a program names, wherever it stands in the graph."""
    if isinstance(part, SourceNode | SinkNode | CallPython | Metric):
        yield part.target
    if isinstance(part, StageNode) and isinstance(target := part.args.get("target"), Const):
        yield str(target.value)
    if isinstance(part, Struct):
        for name in part.__struct_fields__:
            yield from targets(getattr(part, name))
    elif isinstance(part, list | tuple):
        for item in part:
            yield from targets(item)
    elif isinstance(part, dict):
        for item in part.values():
            yield from targets(item)
