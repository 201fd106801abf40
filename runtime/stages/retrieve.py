"""``retrieve``: the rows of another flow that are nearest to a text, best first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dpipe.lang import graph
from dpipe.runtime.bm25 import Bm25
from dpipe.runtime.cosines import best, cosines, units
from dpipe.runtime.expressions import OverRow
from dpipe.runtime.stages.base import Outlet, Task
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.learning import Learning, LearningStep
from dpipe.runtime.stages.vectors import Vector, VectorTask
from dpipe.runtime.values import Batch, Row, Values

DIGITS = 6
"""How precise a score is shown."""


class Corpus:
    """The rows that are searched, and the field that hits are put into."""

    def __init__(self, as_: str, top: int) -> None:
        self.top = top
        self.rows: list[Values] = []
        self._as = as_

    def with_hits(self, row: Row, found: Iterable[tuple[int, float]]) -> Row:
        hits: list[Any] = [{**self.rows[at], "score": round(score, DIGITS)} for at, score in found]
        return row.with_values({**row.values, self._as: hits})


class ByWords(LearningStep):
    """A row of the corpus that shares no word with the query is no hit."""

    def __init__(
        self, context: StageContext, query: OverRow, of_other: OverRow, corpus: Corpus
    ) -> None:
        super().__init__(context)
        self._query = query
        self._of_other = of_other
        self._corpus = corpus
        self._index = Bm25()

    def learn(self, row: Row) -> None:
        self._index.add(self._of_other(row))
        self._corpus.rows.append(row.values)

    def take(self, row: Row) -> tuple[Row]:
        found = self._index.search(self._query(row), self._corpus.top)
        return (self._corpus.with_hits(row, found),)


class ByVectors(VectorTask):
    """The nearest by cosine, however far they are."""

    def __init__(
        self,
        context: StageContext,
        query: OverRow,
        of_other: OverRow,
        corpus: Corpus,
        model: graph.One,
    ) -> None:
        super().__init__(context, query, model)
        self._of_other = of_other
        self._corpus = corpus
        self._units = np.empty((0, 0), np.float32)

    async def prepare(self, out: Outlet, others: Mapping[str, AsyncIterator[Batch]]) -> None:
        found = await self.known(others["corpus"], self._of_other, out)
        self._corpus.rows = [row.values for row, _ in found]
        self._units = units([vector for _, vector in found])

    def take(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> list[Row]:
        if not rows or not self._corpus.rows:
            return [self._corpus.with_hits(row, ()) for row in rows]
        scores = cosines(self._units, units(vectors)).T
        places = [best(each, self._corpus.top) for each in scores]
        return [
            self._corpus.with_hits(row, ((at, float(each[at])) for at in found))
            for row, each, found in zip(rows, scores, places, strict=True)
        ]


def build(node: graph.StageNode, context: StageContext) -> Task:
    method = node.args["by"]
    assert isinstance(method, graph.Method)
    query, of_other = context.over(node.args["query"], "query"), context.of_other(node)
    corpus = Corpus(context.constant(node, "as", ""), context.constant(node, "top", 1))
    if method.name == "bm25":
        return Learning(ByWords(context, query, of_other, corpus), "corpus")
    model = method.args["model"]
    assert isinstance(model, graph.One)
    return ByVectors(context, query, of_other, corpus, model)
