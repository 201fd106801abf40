"""The pure stages: how each is built from its node. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from dpipe.lang import graph
from dpipe.runtime.stages import (
    chunk,
    dedup,
    drop,
    keep,
    limit,
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
}
