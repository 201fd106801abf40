"""One row's question, put to models: live, or from the journal alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import trio

from dpipe.runtime.answerers import Failed, Result, Seat
from dpipe.runtime.asking import Answering, Draw, Query, Question
from dpipe.runtime.values import Row, Values

T = TypeVar("T")


class RowQuestion:
    """A question as one row asks it; each query is made once, whoever asks."""

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
        if place not in self._queries:
            draw = (*self._draw, seat.ordinal, turn)
            self._queries[place] = self.asker.query(
                seat, self._question, draw, self._retry, self.row.key
            )
        return self._queries[place]


class LiveVoices:
    """Puts one row's question to models, and remembers what failed on the way."""

    def __init__(self, question: RowQuestion) -> None:
        self._question = question
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
    """Answers one row's question from the journal, waiting for nothing, or raises ``NotKnown``."""

    def __init__(self, question: RowQuestion) -> None:
        self._question = question
        self._recalls = 0
        self._failures: list[tuple[Query, Failed]] = []

    @property
    def row(self) -> Values:
        return self._question.row.values

    async def ask(self, seat: Seat, turn: int) -> Result:
        query = self._question.query(seat, turn)
        result = self._question.asker.recalled(query)
        if result is None:
            raise NotKnown
        self._recalls += 1
        if isinstance(result, Failed):
            self._failures.append((query, result))
        return result

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        return [await job() for job in jobs]

    async def got_over(self) -> None:
        asker = self._question.asker
        if not all(asker.is_got_over(query) for query, _ in self._failures):
            raise NotKnown  # to be kept first, which takes waiting

    def count(self) -> None:
        self._question.asker.recalls += self._recalls


def without_waiting(answering: Coroutine[Any, Any, T]) -> T | None:
    """What a coroutine over recalled voices gives; None where the journal does not suffice."""
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    except NotKnown:
        return None
    raise AssertionError("recalled voices wait for nothing")


RowVoices: TypeAlias = LiveVoices | RecalledVoices
