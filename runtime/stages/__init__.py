"""The stages but ``ask``: how each is built from its node. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from dpipe.lang import graph
from dpipe.runtime.stages import (
    chunk,
    dedup,
    drop,
    embed,
    group,
    join,
    keep,
    limit,
    python,
    sample,
    set_,
    shuffle,
    sort,
    split,
    unnest,
    where,
)
from dpipe.runtime.stages.base import Step, Task
from dpipe.runtime.stages.context import StageContext

Build = Callable[[graph.StageNode, StageContext], Step | Task]


def _late(name: str) -> Build:
    """The stage of a file that is loaded where it is used, since loading numpy takes a while."""
    return lambda node, context: import_module(f"{__name__}.{name}").build(node, context)


STAGES: dict[str, Build] = {
    "set": set_.build,
    "where": where.build,
    "keep": keep.build,
    "drop": drop.build,
    "unnest": unnest.build,
    "chunk": chunk.build,
    "dedup": dedup.build,
    "sort": sort.build,
    "limit": limit.build,
    "sample": sample.build,
    "shuffle": shuffle.build,
    "split": split.build,
    "python": python.build,
    "group": group.build,
    "join": join.build,
    "embed": embed.build,
    "retrieve": _late("retrieve"),
    "decontaminate": _late("decontaminate"),
    "select": _late("select"),
}
