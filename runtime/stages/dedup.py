"""``dedup``: drops rows that are like an earlier one; the first in order stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.base import Step, Task
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.matches import Matches
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.text import folded
from dpipe.runtime.values import Row, key_of

THRESHOLDS = {"minhash": 0.8, "embedding": 0.9}


class Index(Protocol):
    """Texts seen and kept so far."""

    def add(self, text: str) -> int | None:
        """Which kept text, counted from 0, this one is like; None where it is kept too."""


class ExactTexts:
    """Equal texts are alike, without regard to case, width and blanks."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def add(self, text: str) -> int | None:
        key = key_of(folded(text))
        found = self._seen.get(key)
        if found is None:
            self._seen[key] = len(self._seen)
        return found


class Dedup(RowStep):
    reason = "duplicate"

    def __init__(self, context: StageContext, text: OverRow, index: Index) -> None:
        super().__init__(context)
        self.matches = Matches()
        self._text = text
        self._index = index

    def take(self, row: Row) -> Sequence[Row]:
        original = self._index.add(self._text(row))
        if original is None:
            self.matches.kept(row.place)
            return (row,)
        self.matches.duplicate(row.place, original)
        return ()


def build(node: graph.StageNode, context: StageContext) -> Step | Task:
    method = node.args["by"]
    assert isinstance(method, graph.Method)
    text = context.over(node.args["text"], "text")
    if method.name == "exact":
        return Dedup(context, text, ExactTexts())
    threshold = _threshold(method, context)
    if method.name == "minhash":
        from dpipe.runtime.minhash import MinHashIndex

        return Dedup(context, text, MinHashIndex(threshold))
    from dpipe.runtime.stages.dedup_embedding import EmbeddingDedup

    model = method.args["model"]
    assert isinstance(model, graph.One)
    return EmbeddingDedup(context, text, model, threshold)


def _threshold(method: graph.Method, context: StageContext) -> float:
    given = method.args.get("threshold")
    if given is None:
        return THRESHOLDS[method.name]
    assert isinstance(given, graph.Expr)
    return float(context.expressions.constant(given))
