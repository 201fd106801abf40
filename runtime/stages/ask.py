"""``ask``: a prompt for each row, put to whoever answers.

Rows are answered side by side and leave in the order in which they came. The line of those that
wait for a slower one before them is several times as long as what is answered at once, so that
nobody queues behind it. No row is begun while finished ones are still to be handed on: so demand
reaches back, and what is known already costs no look-ahead.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, Literal, TypeAlias

import trio
from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed, OutVoted, Result, Seat, Topology, Value, bind
from dpipe.runtime.asking import RETRY, Asker, Draw, Query, Question
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.keys import request_key
from dpipe.runtime.ledger import Tally
from dpipe.runtime.models.protocol import Request
from dpipe.runtime.rendering import renderer
from dpipe.runtime.stages.base import Outlet, Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Reject, Row, Values

AHEAD = 8
"""How many times as many rows are in the line as are answered at once."""

Prompted = Callable[[Row], tuple[int, Question]]
"""The prompt's ordinal in the program and the question to a row; raises ``NoValue``."""


End: TypeAlias = Row | Reject | OutVoted
"""What an ask makes of a row."""


class Asked(Struct, frozen=True):
    """What an ``ask`` does, compiled. ``drawn`` says that equal questions are asked anew."""

    label: str
    prompt: Prompted
    topology: Topology
    as_: str
    drawn: bool
    retry: Mapping[str, int]
    when: Callable[[Row], bool] | None = None
    reasoning: str | None = None
    on_error: Literal["reject", "null", "fail"] = "reject"


class Ask:
    """The task. ``at_once`` tells how many rows may be answered at a time, as things stand;
    ``ahead`` times as many may be under way or wait for one before them."""

    def __init__(
        self, asked: Asked, asker: Asker, at_once: Callable[[], int], ahead: int = AHEAD
    ) -> None:
        self.tally = Tally()
        self._asked = asked
        self._asker = asker
        self._at_once = at_once
        self._ahead = ahead
        self._line: deque[Slot] = deque()
        self._running = 0
        self._handing_on = False
        self._complete = False
        self._unwanted = False
        self._equal: Counter[tuple[int, bytes]] = Counter()
        self._change = Change()

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, out, nursery.cancel_scope)
            async for batch in rows:
                self.tally.entered += sum(item.__class__ is Row for item in batch)
                for item in batch:
                    await self._take(item, nursery)
            self._complete = True
            self._change.tell()
        if self._unwanted:
            raise Unwanted

    # -- rows in ---------------------------------------------------------------------------------

    async def _take(self, item: Row | Reject, nursery: trio.Nursery) -> None:
        """Give an item its place in the line, and begin its answer where it needs one."""
        while len(self._line) >= self._at_once() * self._ahead:
            await self._change.wait()
        slot = Slot(item)
        self._line.append(slot)
        if isinstance(item, Row) and (question := self._question(item, slot)):
            voices = RecalledVoices(question)
            if (known := without_waiting(self._answer(item, voices))) is not None:
                voices.count()
                slot.fill(known)
            else:
                await self._room()
                self._running += 1
                nursery.start_soon(self._fill, slot, item, question)
                return
        self._change.tell()

    def _question(self, row: Row, slot: Slot) -> RowQuestion | None:
        """What to ask of a row; None where its slot is filled without."""
        asked = self._asked
        try:
            if asked.when is not None and not asked.when(row):
                slot.fill(self._with(row, None, None))
                return None
            ordinal, question = asked.prompt(row)
        except NoValue as reason:
            slot.fill(Reject(asked.label, "error", str(reason), row.place, row.values))
            return None
        slot.done = False
        draw = (ordinal, self._ordinal(ordinal, question))
        return RowQuestion(self._asker, row, question, draw, asked.retry)

    def _ordinal(self, prompt: int, question: Question) -> int:
        """Which of the stage's equal questions this is, in row order."""
        if not self._asked.drawn:
            return 0
        request = Request(question.messages, question.raw, question.result, {})
        kind = (prompt, request_key("", request))
        self._equal[kind] += 1
        return self._equal[kind] - 1

    async def _room(self) -> None:
        """Wait until another row may begin: there is a place, and nothing waits to be handed on."""
        while self._running >= self._at_once() or self._line[0].done or self._handing_on:
            await self._change.wait()

    # -- answers ---------------------------------------------------------------------------------

    async def _fill(self, slot: Slot, row: Row, question: RowQuestion) -> None:
        slot.fill(await self._answer(row, LiveVoices(question)))
        self._running -= 1
        self._change.tell()

    async def _answer(self, row: Row, voices: LiveVoices | RecalledVoices) -> End:
        result = await self._asked.topology.answer(voices, 0)
        end = self._end(row, result)
        if not isinstance(end, Reject):
            await voices.got_over()
        return end

    def _end(self, row: Row, result: Result) -> End:
        match result:
            case Value(value, _, reasoning):
                return self._with(row, value, reasoning)
            case OutVoted(as_null):
                return self._with(row, None, None) if as_null else result
            case Failed(outcome, message, reply):
                return self._failed(row, outcome, message, reply)

    def _failed(self, row: Row, outcome: str, message: str, reply: str | None) -> Row | Reject:
        if self._asked.on_error == "null":
            return self._with(row, None, None)
        if self._asked.on_error == "fail":
            raise UsageError(f"{row.place}: {self._asked.label}: {outcome}: {message}")
        return Reject(self._asked.label, outcome, message, row.place, row.values, reply)

    def _with(self, row: Row, value: Any, reasoning: str | None) -> Row:
        values: Values = {**row.values, self._asked.as_: value}
        if self._asked.reasoning is not None:
            values[self._asked.reasoning] = reasoning
        return row.with_values(values)

    # -- rows out --------------------------------------------------------------------------------

    async def _deliver(self, out: Outlet, rows: trio.CancelScope) -> None:
        """Hand on what is finished at the head of the line, until the line is complete."""
        while self._line or not self._complete:
            if not (self._line and self._line[0].done):
                await self._change.wait()
                continue
            self._handing_on = True
            try:
                await out.put(self._finished())
            except Unwanted:
                self._unwanted = True
                rows.cancel()
                return
            self._handing_on = False
            self._change.tell()

    def _finished(self) -> Batch:
        batch: Batch = []
        while self._line and self._line[0].done:
            slot = self._line.popleft()
            self._count(slot)
            if not isinstance(slot.end, OutVoted):
                batch.append(slot.end)
        return batch

    def _count(self, slot: Slot) -> None:
        if not slot.entered:
            return
        if isinstance(slot.end, Row):
            self.tally.passed += 1
            self.tally.left += 1
        elif isinstance(slot.end, Reject):
            self.tally.lose(f"failed:{slot.end.outcome}")
        else:
            self.tally.lose("outvoted")


class Slot:
    """An item's place in the line; a reject that passes by is done from the start."""

    __slots__ = ("done", "end", "entered")

    def __init__(self, item: Row | Reject) -> None:
        self.entered = isinstance(item, Row)
        self.end: End = item
        self.done = True

    def fill(self, end: End) -> None:
        self.end = end
        self.done = True


class Change:
    """Wakes everybody who waits for something to change."""

    def __init__(self) -> None:
        self._told = trio.Event()

    def tell(self) -> None:
        if self._told.statistics().tasks_waiting:
            self._told.set()
            self._told = trio.Event()

    async def wait(self) -> None:
        await self._told.wait()


class RowQuestion(Struct, frozen=True):
    """A question as one row asks it."""

    asker: Asker
    row: Row
    question: Question
    draw: Draw
    retry: Mapping[str, int]

    def query(self, seat: Seat, turn: int) -> Query:
        draw = (*self.draw, seat.ordinal, turn)
        return self.asker.query(seat, self.question, draw, self.retry, self.row.key)


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


def without_waiting(answering: Coroutine[Any, Any, End]) -> End | None:
    """What a coroutine over recalled voices gives; None where the journal does not suffice."""
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    except NotKnown:
        return None
    raise AssertionError("recalled voices wait for nothing")


# -- from the graph ------------------------------------------------------------------------------


class Program(Struct, frozen=True):
    """What an ``ask`` needs of the program around it; ``folder`` is what images' paths are
    relative to, ``at_once`` how many rows may be answered by these models as things stand."""

    prompts: Mapping[str, graph.PromptDef]
    asker: Asker
    sampling: Callable[[graph.One], tuple[str, Mapping[str, Any]]]
    at_once: Callable[[Collection[str]], int]
    folder: Path


def build(
    node: graph.StageNode, context: StageContext, program: Program, *, ahead: int = AHEAD
) -> Ask:
    """The stage of a node; raises ``UsageError`` for settings without sense."""
    using = node.args["using"]
    assert isinstance(using, graph.Answerer)
    binder = _Binder(context.expressions, program.sampling)
    topology, seats = bind(using, binder)
    when, reasoning = node.args.get("when"), context.constant(node, "reasoning", None)
    asked = Asked(
        context.label,
        _prompted(node.args["prompt"], context, program, "prompt"),
        topology,
        context.constant(node, "as", ""),
        drawn=any(seat.options.get("temperature") != 0 for seat in seats),
        retry={**RETRY, **context.constant(node, "retry", {})},
        when=None if when is None else context.over(when, "when"),
        reasoning=reasoning,
        on_error=context.constant(node, "on_error", "reject"),
    )
    models = frozenset(seat.model for seat in seats)
    return Ask(asked, program.asker, lambda: program.at_once(models), ahead)


class _Binder:
    """Evaluates what stands in an answerer."""

    def __init__(
        self,
        expressions: Expressions,
        sampling: Callable[[graph.One], tuple[str, Mapping[str, Any]]],
    ) -> None:
        self.constant = expressions.constant
        self.judge = expressions.function
        self.sampling = sampling


def _prompted(arg: graph.Arg, context: StageContext, program: Program, place: str) -> Prompted:
    """The prompt, or the choice between prompts, as a function of the row."""
    match arg:
        case graph.PromptCall(prompt, args, ordinal):
            render = renderer(program.prompts[prompt], context.expressions, program.folder)
            names = (param.name for param in program.prompts[prompt].params)
            values = [
                context.over(arg, f"{place}.{name}") for name, arg in zip(names, args, strict=True)
            ]
            return lambda row: (ordinal, render(tuple([value(row) for value in values])))
        case graph.PromptChoice(test, then, otherwise):
            chooses = context.over(test, f"{place}.if")
            yes = _prompted(then, context, program, f"{place}.then")
            no = _prompted(otherwise, context, program, f"{place}.else")
            return lambda row: (yes if chooses(row) else no)(row)
        case _:
            raise TypeError(f"not a prompt: {arg!r}")
