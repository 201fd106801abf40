"""``ask``: a prompt for each row, put to whoever answers.

A batch of rows is put to the journal first, and what it knows costs neither a task nor a place.
The others are answered side by side, and all leave in the order in which they came. The line of
those that wait for a slower one before them is several times as long as what is answered at once,
so that nobody queues behind it. Above a limit it is no longer than that, and no row is begun while
finished ones are still to be handed on: so demand reaches back, and what is known already costs
no look-ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import trio
from msgspec import Struct
from msgspec.structs import asdict

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed, OutVoted, Result, Topology, Value, bind
from dpipe.runtime.asking import RETRY, Answering, Question
from dpipe.runtime.change import Change
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.flow import BATCH, rows_in
from dpipe.runtime.ledger import Tally
from dpipe.runtime.rendering import renderer
from dpipe.runtime.stages.base import Outlet, Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Item, Leaver, Reject, Row, Values
from dpipe.runtime.voices import (
    LiveVoices,
    RecalledVoices,
    RowQuestion,
    RowVoices,
    Vectors,
    recall,
)

AHEAD = 16
"""How many times as many rows are in the line as are answered at once."""

Prompted: TypeAlias = Callable[[Row], Sequence[tuple[int, Question]]]
"""The questions to a row, each with its prompt's ordinal in the program; raises ``NoValue``.

It is one question, or with ``over:`` one an element.
"""

End: TypeAlias = Row | Reject | OutVoted
"""What an ask makes of a row."""


class Asked(Struct, frozen=True):
    """What an ``ask`` does, compiled.

    ``drawn`` says that equal questions are asked anew, ``listed`` that a row has a list of them;
    ``rounds`` are those of the loops around.
    """

    label: str
    prompt: Prompted
    topology: Topology
    as_: str
    drawn: bool
    listed: bool
    retry: Mapping[str, int]
    rounds: tuple[int, ...] = ()
    when: Callable[[Row], bool] | None = None
    reasoning: str | None = None
    meta: str | None = None
    on_error: Literal["reject", "null", "fail"] = "reject"


class Ask:
    """The task. ``at_once`` tells how many rows may be answered at a time, as things stand.

    ``AHEAD`` times as many are begun behind one that is not finished; with ``limited`` no more
    than those, and only when what is finished has been handed on.
    """

    def __init__(
        self,
        asked: Asked,
        asker: Answering,
        at_once: Callable[[], int],
        *,
        vectors: Vectors | None = None,
        limited: bool = False,
    ) -> None:
        self.tally = Tally()
        self._asked = asked
        self._asker = asker
        self._vectors = vectors
        self._at_once = at_once
        self._limited = limited
        self._line: deque[Slot] = deque()
        self._left = 0  # how many have left the line
        self._wanted: deque[Wanted] = deque()
        self._running = 0
        self._handing_on = False
        self._complete = False
        self._unwanted = False
        self._equal: dict[int, dict[bytes, int]] = {}  # the last ordinals, by prompt and question
        self._change = Change()

    async def run(
        self, rows: AsyncIterator[Batch], out: Outlet, others: Mapping[str, AsyncIterator[Batch]]
    ) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, out, nursery)
            async for batch in rows:
                self.tally.entered += rows_in(batch)
                for start in range(0, len(batch), self._asker.rows_at_once):
                    await self._take(batch[start : start + self._asker.rows_at_once])
                    self._begin(nursery)
            self._complete = True
            self._change.tell()
        if self._unwanted:
            raise Unwanted

    def foresee(self, row: Row) -> None:
        """Work out what will be asked of a row; raises ``NoValue``."""
        if self._asked.when is None or self._asked.when(row):
            self._asked.prompt(row)

    # -- rows in ---------------------------------------------------------------------------------

    async def _take(self, batch: Batch) -> None:
        """Give the items their places in the line, and fill those that the journal answers."""
        while len(self._wanted) >= BATCH or len(self._line) >= self._window:
            await self._change.wait()
        wanted = self._placed(batch)
        self._recall(wanted)
        self._wanted += [each for each in wanted if not each.slot.done]
        self._change.tell()

    def _placed(self, batch: Batch) -> list[Wanted]:
        """Put the items into the line; the rows of which something is to be asked."""
        wanted: list[Wanted] = []
        for item in batch:
            slot = Slot(item)
            if isinstance(item, Row) and (questions := self._questions(item, slot)) is not None:
                wanted.append(Wanted(self._left + len(self._line), slot, item, questions))
            self._line.append(slot)
        return wanted

    def _recall(self, wanted: Sequence[Wanted]) -> None:
        """Fill the slots of the rows that the journal answers."""
        voices = [[RecalledVoices(question) for question in each.questions] for each in wanted]
        jobs = [
            partial(self._answer, each.row, those)
            for each, those in zip(wanted, voices, strict=True)
        ]
        found = recall(self._asker, jobs)
        for each, those, known in zip(wanted, voices, found, strict=True):
            if known is not None:
                each.slot.fill(known)
                for one in those:
                    one.count()

    def _questions(self, row: Row, slot: Slot) -> list[RowQuestion] | None:
        """What to ask of a row; None where its slot is filled without."""
        asked = self._asked
        try:
            if asked.when is not None and not asked.when(row):
                slot.fill(self._with(row, None))
                return None
            questions = asked.prompt(row)
        except NoValue as reason:
            slot.fill(Reject(asked.label, "error", str(reason), row.place, row.values))
            return None
        slot.done = False
        return [self._asked_of(row, prompt, question) for prompt, question in questions]

    def _asked_of(self, row: Row, prompt: int, question: Question) -> RowQuestion:
        draw = (prompt, *self._asked.rounds, self._ordinal(prompt, question))
        return RowQuestion(self._asker, row, question, draw, self._asked.retry)

    def _ordinal(self, prompt: int, question: Question) -> int:
        """Which of the stage's equal questions this is, in row order."""
        if not self._asked.drawn:
            return 0
        equal = self._equal.setdefault(prompt, {})
        ordinal = equal[question.key] = equal.get(question.key, -1) + 1
        return ordinal

    @property
    def _window(self) -> int:
        """How many places of the line may be taken, from its head on."""
        return self._at_once() * (1 if self._limited else AHEAD)

    # -- answers ---------------------------------------------------------------------------------

    def _begin(self, nursery: trio.Nursery) -> None:
        """Begin as many rows as may be."""
        while (wanted := self._next()) is not None:
            nursery.start_soon(self._work, wanted, nursery)

    def _next(self) -> Wanted | None:
        """The row that may begin now, if there is one."""
        if (
            not self._wanted
            or self._running >= self._at_once()
            or self._wanted[0].place - self._left >= self._window
            or (self._limited and (self._line[0].done or self._handing_on))
        ):
            return None
        self._running += 1
        return self._wanted.popleft()

    async def _work(self, wanted: Wanted | None, nursery: trio.Nursery) -> None:
        """Answer one row after the other, for as long as one may begin when another ends."""
        while wanted is not None:
            voices = [LiveVoices(question, self._vectors) for question in wanted.questions]
            wanted.slot.fill(await self._answer(wanted.row, voices))
            self._running -= 1
            self._change.tell()
            wanted = self._next()
            self._begin(nursery)

    async def _answer(self, row: Row, voices: Sequence[RowVoices]) -> End:
        jobs = [partial(self._asked.topology.answer, each, 0) for each in voices]
        if self._asked.listed:
            result = as_list(await voices[0].together(jobs) if voices else [])
        else:
            result = await jobs[0]()
        end = self._end(row, result)
        if not isinstance(end, Reject):
            for each in voices:
                await each.got_over()
        return end

    def _end(self, row: Row, result: Result) -> End:
        match result:
            case Value():
                return self._with(row, result)
            case OutVoted(as_null):
                return self._with(row, None) if as_null else result
            case Failed(outcome, message, reply):
                return self._failed(row, outcome, message, reply)

    def _failed(self, row: Row, outcome: str, message: str, reply: str | None) -> Row | Reject:
        if self._asked.on_error == "null":
            return self._with(row, None)
        if self._asked.on_error == "fail":
            raise UsageError(f"{row.place}: {self._asked.label}: {outcome}: {message}")
        return Reject(self._asked.label, outcome, message, row.place, row.values, reply)

    def _with(self, row: Row, answer: Value | None) -> Row:
        asked = self._asked
        values: Values = {**row.values, asked.as_: answer and answer.value}
        if asked.reasoning is not None:
            values[asked.reasoning] = answer and answer.reasoning
        if asked.meta is not None:
            values[asked.meta] = answer and answer.meta and asdict(answer.meta)
        return row.with_values(values)

    # -- rows out --------------------------------------------------------------------------------

    async def _deliver(self, out: Outlet, rows: trio.Nursery) -> None:
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
                rows.cancel_scope.cancel()
                return
            self._handing_on = False
            self._begin(rows)
            self._change.tell()

    def _finished(self) -> Batch:
        batch: Batch = []
        while self._line and self._line[0].done and len(batch) < BATCH:
            slot = self._line.popleft()
            self._left += 1
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


def as_list(results: Sequence[Result]) -> Result:
    """The list of all answers; without one of them the row has none."""
    for result in results:
        if isinstance(result, Failed) or (isinstance(result, OutVoted) and not result.as_null):
            return result
    values = [result.value if isinstance(result, Value) else None for result in results]
    return Value(values, "over")


class Slot:
    """An item's place in the line; what passes by is done from the start."""

    __slots__ = ("done", "end", "entered")

    def __init__(self, item: Item) -> None:
        self.entered = isinstance(item, Row)
        self.end: End | Leaver = item
        self.done = True

    def fill(self, end: End) -> None:
        self.end = end
        self.done = True


class Wanted(Struct, frozen=True):
    """A row of which something is to be asked; ``place`` is that of its slot in the line."""

    place: int
    slot: Slot
    row: Row
    questions: list[RowQuestion]


# -- from the graph ------------------------------------------------------------------------------


class Program(Struct, frozen=True):
    """What an ``ask`` needs of the program around it; ``folder`` is what images' paths are
    relative to, ``at_once`` how many rows may be answered by these models as things stand."""

    prompts: Mapping[str, graph.PromptDef]
    asker: Answering
    sampling: Callable[[graph.One], tuple[str, Mapping[str, Any]]]
    at_once: Callable[[Collection[str]], int]
    folder: Path


def build(
    node: graph.StageNode, context: StageContext, program: Program, *, limited: bool = False
) -> Ask:
    """The stage of a node; ``limited`` where all its rows meet a ``limit(n)``.

    Raises ``UsageError`` for settings without sense.
    """
    using = node.args["using"]
    assert isinstance(using, graph.Answerer)
    binder = _Binder(context.expressions, program.sampling)
    topology, seats = bind(using, binder)
    when = node.args.get("when")
    asked = Asked(
        context.label,
        _prompted(node, context, program),
        topology,
        context.constant(node, "as", ""),
        drawn=any(seat.options.get("temperature") != 0 for seat in seats),
        listed="over" in node.args,
        retry={**RETRY, **context.constant(node, "retry", {})},
        rounds=node.rounds,
        when=None if when is None else context.over(when, "when"),
        reasoning=context.constant(node, "reasoning", None),
        meta=context.constant(node, "meta", None),
        on_error=context.constant(node, "on_error", "reject"),
    )
    models = frozenset(seat.model for seat in seats)
    at_once = partial(program.at_once, models)
    return Ask(asked, program.asker, at_once, vectors=context.vectors, limited=limited)


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


OfElement: TypeAlias = Callable[[Any], tuple[int, Question]]
"""The prompt's ordinal and the question to an element; to None without ``over:``."""

Rendered: TypeAlias = Callable[[Row], OfElement]


def _prompted(node: graph.StageNode, context: StageContext, program: Program) -> Prompted:
    """The questions of a node to a row."""
    rendered = _rendered(node.args["prompt"], context, program, "prompt")
    if (over := node.args.get("over")) is None:
        return lambda row: (rendered(row)(None),)
    elements = context.over(over, "over")

    def questions(row: Row) -> list[tuple[int, Question]]:
        question = rendered(row)
        return [question(element) for element in elements(row)]

    return questions


def _rendered(arg: graph.Arg, context: StageContext, program: Program, place: str) -> Rendered:
    """The prompt, or the choice between prompts."""
    match arg:
        case graph.PromptCall():
            return _call(arg, context, program, place)
        case graph.PromptChoice(test, then, otherwise):
            chooses = context.over(graph.Lambda(_each(arg) or "", test), f"{place}.if")
            yes = _rendered(then, context, program, f"{place}.then")
            no = _rendered(otherwise, context, program, f"{place}.else")
            return lambda row: _chosen(chooses(row), yes(row), no(row))
        case _:
            raise TypeError(f"not a prompt: {arg!r}")


def _each(arg: graph.PromptCall | graph.PromptChoice) -> str | None:
    """The name of the element in the arguments and tests of a prompt."""
    return arg.each if isinstance(arg, graph.PromptCall) else _each(arg.then)


def _chosen(test: Callable[[Any], bool], yes: OfElement, no: OfElement) -> OfElement:
    return lambda element: (yes if test(element) else no)(element)


def _call(call: graph.PromptCall, context: StageContext, program: Program, place: str) -> Rendered:
    """A prompt whose arguments see the row, and with ``over:`` its element as well."""
    prompt = program.prompts[call.prompt]
    render = renderer(prompt, context.expressions, program.folder)
    places = [f"{place}.{param.name}" for param in prompt.params]
    if call.each is None:
        values = [context.over(arg, at) for arg, at in zip(call.args, places, strict=True)]
        return lambda row: lambda _: (call.ordinal, render(tuple([v(row) for v in values])))
    lambdas = (graph.Lambda(call.each, arg) for arg in call.args)
    functions = [context.over(each, at) for each, at in zip(lambdas, places, strict=True)]

    def for_row(row: Row) -> OfElement:
        of = [function(row) for function in functions]
        return lambda element: (call.ordinal, render(tuple([one(element) for one in of])))

    return for_row
