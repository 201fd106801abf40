"""Who answers in a test: the answers that stand in it, in the place of every model.

A script answers as a journal does that holds every answer: at once, row by row, members and
draws in their order. So a test runs alike every time, and whatever asks runs as it does in a run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import trio

from dpipe.lang import graph
from dpipe.lang.graph import prompts_of
from dpipe.runtime.answerers import Failed, Meta, Seat, Value
from dpipe.runtime.asking import Draw, Query, Question, query_of
from dpipe.runtime.errors import CallFails, Misfit, NoValue, UsageError
from dpipe.runtime.executor import Part
from dpipe.runtime.expressions import Expressions, OverRow
from dpipe.runtime.fit import fit, shown
from dpipe.runtime.ledger import Tally
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.simulated import SimulatedEmbedder
from dpipe.runtime.stages.base import Outlet, Task
from dpipe.runtime.values import Batch, Row

Answer: TypeAlias = Callable[[bytes, Mapping[str, Any]], Any]
"""What a call is answered, by its key and its prompt's bound parameters."""


class Lines:
    """What a prompt answers, call by call. The expressions raise ``CallFails`` or ``NoValue``."""

    def __init__(self, answers: graph.Answers, expressions: Expressions) -> None:
        self._listed = answers.listed
        self._each = [_answer(each, expressions) for each in answers.each]
        self._calls = 0

    def next(self) -> Answer | None:
        """The answer of the next call; None where the test has none left."""
        if not self._listed:
            return self._each[0]
        self._calls += 1
        return self._each[self._calls - 1] if self._calls <= len(self._each) else None


def _answer(answer: graph.Expr, expressions: Expressions) -> Answer:
    over: OverRow = expressions.over(answer, b"answer")

    def said(key: bytes, params: Mapping[str, Any]) -> Any:
        value = over(Row({}, key, ""))
        return value(params) if isinstance(answer, graph.Lambda) else value

    return said


class Script:
    """Answers the questions of a test; ``scope`` is the name of a model.

    Raises ``UsageError`` for a call that the test does not cover, and for an answer that does not
    fit its prompt.
    """

    recalls = 0
    rows_at_once = 1

    def __init__(self, prompts: Mapping[str, graph.PromptDef], lines: Mapping[str, Lines]) -> None:
        self._prompts = prompts
        self._lines = lines
        self._said: dict[tuple[str, bytes], Value | Failed] = {}

    def query(
        self, seat: Seat, question: Question, draw: Draw, retry: Mapping[str, int], row: bytes
    ) -> Query:
        return query_of(seat.model, seat, question, draw, retry, row)

    def recalled(self, queries: Sequence[Query]) -> list[Value | Failed | None]:
        return [self._recalled(query) for query in queries]

    def _recalled(self, query: Query) -> Value | Failed:
        """Questions that are one call in a run, equal ones at temperature 0, are one here too."""
        call = (query.question.prompt, query.key)
        if call not in self._said:
            self._said[call] = self._answered(query)
        return self._said[call]

    async def ask(self, query: Query) -> Value | Failed:
        return self._recalled(query)

    async def got_over(self, query: Query, failure: Failed) -> None:
        """A test keeps nothing."""

    def is_got_over(self, query: Query) -> bool:
        return True

    def _answered(self, query: Query) -> Value | Failed:
        name, result = query.question.prompt, query.question.result
        names = (param.name for param in self._prompts[name].params)
        params = dict(zip(names, query.question.args, strict=True))
        try:
            value = self._next(name, params)(query.key, params)
            seat = query.seat
            meta = Meta(seat.model, seat.model, seat.options)
            return Value(fit(value, result), seat.model, meta=meta)
        except CallFails as fails:
            return Failed(fails.outcome, "as the test has it")
        except NoValue as reason:
            raise UsageError(f"the answer of prompt `{name}` has no value: {reason}") from None
        except Misfit as wrong:
            at = f" at `{wrong.path}`" if wrong.path else ""
            message = f"the answer of prompt `{name}` does not fit{at}: {wrong.message}"
            raise UsageError(message) from None

    def _next(self, name: str, params: Mapping[str, Any]) -> Answer:
        lines = self._lines.get(name)
        if (answer := lines.next() if lines else None) is None:
            often = " more often than it is answered" if lines else ", and not answered"
            raise UsageError(
                f"prompt `{name}` is asked{often}; this call has {shown(params)}",
                hint="answer it in `answer:`; a lambda answers every call: `p -> …`",
            )
        return answer


class StandIns:
    """A program's models as far as their answers hang on them: their names and their sampling."""

    def __init__(self, models: Mapping[str, graph.ModelDef], expressions: Expressions) -> None:
        self._models = models
        self._expressions = expressions

    def sampling(self, one: graph.One) -> tuple[str, Mapping[str, Any]]:
        declared = self._models[one.model].options
        return one.model, {**self._options(declared), **self._options(one.options)}

    def _options(self, options: Sequence[tuple[str, graph.Expr]]) -> dict[str, Any]:
        """The sampling options alone: no address, key or limit has to be known in a test."""
        given = {
            name: self._expressions.constant(value)
            for name, value in options
            if name == "body" or name not in ModelOptions.model_fields
        }
        body: Mapping[str, Any] = given.pop("body", {})
        return {**given, **body}

    async def vectors(self, one: graph.One, texts: Sequence[str]) -> list[list[float] | Failed]:
        embedded = await SimulatedEmbedder(one.model, one.model).embed(texts)
        return [*embedded.vectors]


# -- the order of calls --------------------------------------------------------------------------


class InTurn:
    """An ask that waits for its rows, all of them, and then for the asks before it.

    So the calls of a prompt come in one order, however many stages ask it.
    """

    def __init__(self, ask: Task, before: Sequence[trio.Event]) -> None:
        self.done = trio.Event()
        self.tally: Tally = ask.tally
        self._ask = ask
        self._before = before

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        batches = [batch async for batch in rows]
        for event in self._before:
            await event.wait()
        try:
            await self._ask.run(_again(batches), out, others)
        finally:
            self.done.set()


async def _again(batches: Sequence[Batch]) -> AsyncIterator[Batch]:
    for batch in batches:
        yield batch


def in_turn(
    nodes: Sequence[graph.Node], parts: Mapping[int, Part], listed: frozenset[str]
) -> dict[int, Part]:
    """The parts, with those that ask one of the prompts ``listed`` taking turns."""
    found: dict[int, Part] = dict(parts)
    turns: list[InTurn] = []
    for index in sorted(parts):
        node = nodes[index]
        if listed & set(prompts_of(node)):
            part: Any = parts[index]
            found[index] = turn = InTurn(part, [before.done for before in turns])
            turns.append(turn)
    return found
