"""What ``report`` computes: aggregates over the rows of a sink, and expressions over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed
from dpipe.runtime.errors import Misfit, NoValue, UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.fit import fitter
from dpipe.runtime.metrics.base import Metric
from dpipe.runtime.python import load
from dpipe.runtime.values import Row, Values, key_of

Vectors: TypeAlias = Callable[[graph.One, Sequence[str]], Awaitable[list[list[float] | Failed]]]


class Aggregate:
    """One aggregate: how to make it, and what of each row it is fed."""

    def __init__(self, metric: graph.Metric, expressions: Expressions, salt: bytes) -> None:
        self.embedder = metric.embedder
        self._of = None if metric.value is None else expressions.over(metric.value, salt)
        self._target = metric.target
        self._class = load(metric.target)
        self._fit = None if metric.result is None else fitter(metric.result)
        self._options = {name: expressions.constant(value) for name, value in metric.options}

    def make(self) -> Metric:
        made: Metric = self._class(**self._options)
        return made

    def result(self, made: Metric) -> Any:
        """The figure; raises ``UsageError`` where it is not of the declared type."""
        found = made.result()
        try:
            return found if self._fit is None else self._fit(found)
        except Misfit as wrong:
            raise UsageError(f"what `{self._target}` gave does not fit: {wrong}") from None

    def value(self, row: Row) -> Any:
        """What the row gives; raises ``NoValue``. ``count()`` is fed nothing in particular."""
        return True if self._of is None else self._of(row)


class Figures:
    """The figures of a report, by label. ``start`` begins a count of its own."""

    def __init__(
        self,
        computed: Sequence[tuple[str, graph.Computed]],
        expressions: Expressions,
        vectors: Vectors,
    ) -> None:
        self._vectors = vectors
        self._aggregates: list[Aggregate] = []
        self._labels: list[tuple[str, slice, Callable[[tuple[Any, ...]], Any]]] = []
        for label, one in computed:
            start = len(self._aggregates)
            salts = (key_of(label, str(at)) for at in range(len(one.metrics)))
            self._aggregates += map(Aggregate, one.metrics, [expressions] * len(one.metrics), salts)
            names = tuple(f"${at}" for at in range(len(one.metrics)))
            part = slice(start, len(self._aggregates))
            self._labels.append((label, part, expressions.body(one.value, names)))

    def start(self) -> list[Metric]:
        return [aggregate.make() for aggregate in self._aggregates]

    async def values(self, rows: Sequence[Row]) -> list[list[Any] | str]:
        """What each row gives each aggregate; a text where a row has no value, saying why."""
        found = [self._given(row) for row in rows]
        for at, aggregate in enumerate(self._aggregates):
            if aggregate.embedder is not None:
                await self._embed(at, aggregate.embedder, found)
        return found

    def of_row(self, row: Row) -> list[Any]:
        """What a row gives each aggregate; raises ``NoValue``."""
        return [aggregate.value(row) for aggregate in self._aggregates]

    def _given(self, row: Row) -> list[Any] | str:
        try:
            return self.of_row(row)
        except NoValue as reason:
            return str(reason)

    async def _embed(self, at: int, embedder: graph.One, found: list[list[Any] | str]) -> None:
        """Put vectors in the place of an aggregate's texts."""
        places = [n for n, one in enumerate(found) if isinstance(one, list) and one[at] is not None]
        vectors = await self._vectors(embedder, [found[n][at] for n in places])
        for n, vector in zip(places, vectors, strict=True):
            values = found[n]
            if isinstance(vector, Failed):
                found[n] = vector.message
            elif isinstance(values, list):
                values[at] = vector

    def result(self, metrics: Sequence[Metric]) -> Values:
        """The figures; raises ``NoValue`` where one has none, as a share of no rows."""
        figures: Values = {}
        for label, figure in self._each(metrics):
            try:
                figures[label] = figure()
            except NoValue as reason:
                raise NoValue(f"`{label}`: {reason}") from None
        return figures

    def shown(self, metrics: Sequence[Metric]) -> Values:
        """The figures for people to read; null for one that has no value."""
        figures: Values = {}
        for label, figure in self._each(metrics):
            try:
                figures[label] = figure()
            except NoValue:
                figures[label] = None
        return figures

    def _each(self, metrics: Sequence[Metric]) -> Iterator[tuple[str, Callable[[], Any]]]:
        results = [
            aggregate.result(metric)
            for aggregate, metric in zip(self._aggregates, metrics, strict=True)
        ]
        for label, part, body in self._labels:
            yield label, partial(body, tuple(results[part]))
