"""``decontaminate``: drops rows that share a run of words with a benchmark.

Where words are not spaced a character counts as a word. A text that is shorter than the run is
compared as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang import graph
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.ngrams import ngrams
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.learning import Learning, LearningStep
from dpipe.runtime.values import Row

N = 13
"""Words in a run where the program does not say."""


class Decontaminate(LearningStep):
    reason = "contaminated"

    def __init__(self, context: StageContext, text: OverRow, of_other: OverRow, n: int) -> None:
        super().__init__(context)
        self._text = text
        self._of_other = of_other
        self._n = n
        self._benchmark: set[int] = set()

    def learn(self, row: Row) -> None:
        self._benchmark.update(ngrams(self._of_other(row), self._n))

    def take(self, row: Row) -> Sequence[Row]:
        clean = self._benchmark.isdisjoint(ngrams(self._text(row), self._n))
        return (row,) if clean else ()


def build(node: graph.StageNode, context: StageContext) -> Learning:
    text, of_other = context.over(node.args["text"], "text"), context.of_other(node)
    step = Decontaminate(context, text, of_other, context.constant(node, "n", N))
    return Learning(step, "against")
