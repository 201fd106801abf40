"""Rows' questions, put to models: a row's live, those of many rows together from the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from types import coroutine
from typing import TypeAlias, TypeVar

import trio

from dpipe.lang.graph import One
from dpipe.runtime.answerers import Failed, Result, Seat, Value
from dpipe.runtime.asking import Answering, Draw, Query, Question
from dpipe.runtime.values import Row, Values

T = TypeVar("T")
Vectors: TypeAlias = Callable[[One, Sequence[str]], Awaitable[list[list[float] | Failed]]]


class RowQuestion:
    """A question as one row asks it; each query is made once, whoever asks."""

    __slots__ = ("_draw", "_queries", "_question", "_retry", "asker", "row")

    def __init__(
        self,
        asker: Answering,
        row: Row,
        question: Question,
        draw: Draw,
        retry: Mapping[str, int],
    ) -> None:
        """``draw`` is the prompt's ordinal, the rounds of the loops around, and which of the
        stage's equal questions this is."""
        self.asker = asker
        self.row = row
        self._question = question
        self._draw = draw
        self._retry = retry
        self._queries: dict[tuple[int, int], Query] = {}

    def query(self, seat: Seat, turn: int) -> Query:
        place = (id(seat), turn)
        if (query := self._queries.get(place)) is None:
            draw = (*self._draw, seat.ordinal, turn)
            query = self.asker.query(seat, self._question, draw, self._retry, self.row.key)
            self._queries[place] = query
        return query


class LiveVoices:
    """Puts one row's question to models, and remembers what failed on the way."""

    __slots__ = ("_failures", "_question", "_vectors")

    def __init__(self, question: RowQuestion, vectors: Vectors | None) -> None:
        self._question = question
        self._vectors = vectors
        self._failures: list[tuple[Query, Failed]] = []

    @property
    def row(self) -> Values:
        return self._question.row.values

    async def ask(self, seat: Seat, turn: int) -> Result:
        query = self._question.query(seat, turn)
        result = await self._question.asker.ask(query)
        if isinstance(result, Failed):
            self._failures.append((query, result))
        return result

    async def vectors(self, model: One, texts: Sequence[str]) -> list[list[float] | Failed]:
        assert self._vectors is not None
        return await self._vectors(model, texts)

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        results: dict[int, Result] = {}

        async def work(at: int) -> None:
            results[at] = await jobs[at]()

        async with trio.open_nursery() as nursery:
            for at in range(len(jobs)):
                nursery.start_soon(work, at)
        return [results[at] for at in range(len(jobs))]

    async def got_over(self) -> None:
        """Keep the failures that this row goes on in spite of."""
        for query, failure in self._failures:
            await self._question.asker.got_over(query, failure)


class NotKnown(Exception):
    """The journal alone does not answer a row."""


class RecalledVoices:
    """Answers one row's question under ``recall``, from the journal, or raises ``NotKnown``."""

    __slots__ = ("_failures", "_question", "_recalls")

    def __init__(self, question: RowQuestion) -> None:
        self._question = question
        self._recalls = 0
        self._failures: list[tuple[Query, Failed]] = []

    @property
    def row(self) -> Values:
        return self._question.row.values

    async def ask(self, seat: Seat, turn: int) -> Result:
        query = self._question.query(seat, turn)
        result = await _recalled(query)
        if result is None:
            raise NotKnown
        self._recalls += 1
        if isinstance(result, Failed):
            self._failures.append((query, result))
        return result

    async def vectors(self, model: One, texts: Sequence[str]) -> list[list[float] | Failed]:
        """They are looked up elsewhere, which takes waiting."""
        raise NotKnown

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        return [await job() for job in jobs]

    async def got_over(self) -> None:
        asker = self._question.asker
        if not all(asker.is_got_over(query) for query, _ in self._failures):
            raise NotKnown  # to be kept first, which takes waiting

    def count(self) -> None:
        self._question.asker.recalls += self._recalls


Known: TypeAlias = Value | Failed | None
Recalling: TypeAlias = Coroutine[Query, Known, T]


@coroutine
def _recalled(query: Query) -> Generator[Query, Known, Known]:
    """What the journal knows of a query, from who drives this."""
    return (yield query)


def recall(asker: Answering, jobs: Sequence[Callable[[], Recalling[T]]]) -> list[T | None]:
    """What each job over recalled voices gives; None where the journal does not suffice.

    The jobs go on side by side, a query each at a time, and these are looked up together.
    """
    found: list[T | None] = [None] * len(jobs)
    known: Sequence[Known] = [None] * len(jobs)
    waiting: Iterable[tuple[int, Recalling[T]]] = ((at, job()) for at, job in enumerate(jobs))
    while waiting:
        asked: list[tuple[int, Recalling[T]]] = []
        queries: list[Query] = []
        for (at, job), result in zip(waiting, known, strict=True):
            try:
                queries.append(job.send(result))
                asked.append((at, job))
            except StopIteration as done:
                found[at] = done.value
            except NotKnown:
                pass
        waiting, known = asked, asker.recalled(queries) if queries else ()
    return found


RowVoices: TypeAlias = LiveVoices | RecalledVoices
