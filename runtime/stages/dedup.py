"""``dedup``: drops rows that are like an earlier one; the first in order stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.base import Step, Task
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.learning import Learning, LearningStep
from dpipe.runtime.stages.matches import Matches
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


class Dedup(LearningStep):
    """``of_other`` is the text of a row of ``against:``, of which none goes on."""

    reason = "duplicate"

    def __init__(
        self, context: StageContext, text: OverRow, index: Index, of_other: OverRow
    ) -> None:
        super().__init__(context)
        self.matches = Matches()
        self._text = text
        self._index = index
        self._of_other = of_other

    def learn(self, row: Row) -> None:
        if self._index.add(self._of_other(row)) is None:
            self.matches.kept(row.place)

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
    text, of_other = context.over(node.args["text"], "text"), context.of_other(node)
    if method.name == "embedding":
        from dpipe.runtime.stages.dedup_embedding import EmbeddingDedup

        model, threshold = method.args["model"], _threshold(method, context)
        assert isinstance(model, graph.One)
        other = of_other if "against" in node.args else None
        return EmbeddingDedup(context, text, model, threshold, other)
    step = Dedup(context, text, _index(method, context), of_other)
    return Learning(step, "against") if "against" in node.args else step


def _index(method: graph.Method, context: StageContext) -> Index:
    if method.name == "exact":
        return ExactTexts()
    from dpipe.runtime.minhash import MinHashIndex

    return MinHashIndex(_threshold(method, context))


def _threshold(method: graph.Method, context: StageContext) -> float:
    given = method.args.get("threshold")
    if given is None:
        return THRESHOLDS[method.name]
    assert isinstance(given, graph.Expr)
    return float(context.expressions.constant(given))
