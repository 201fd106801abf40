"""Who answered a question, worked out anew from what each model said.

An answerer is a value without state, and so is each of its members. What one of them made of the
models' answers is what it makes of them again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from dpipe.lang.graph import One
from dpipe.runtime.answerers import (
    All,
    Cascade,
    Failed,
    Fallback,
    OutVoted,
    Poll,
    Result,
    Seat,
    Single,
    Topology,
    Value,
    Vote,
)
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.tracing.facts import Answer, Attempt
from dpipe.runtime.tracing.watching import Heard
from dpipe.runtime.values import Values
from dpipe.runtime.voices import Vectors

Attempts: TypeAlias = Callable[[Heard], tuple[Attempt, ...]]


class NotAsked(Exception):
    """A model whose answer was not needed."""


class Said:
    """What the models said to one question, as voices; raises ``NotAsked`` for any other."""

    def __init__(self, row: Values, heard: Sequence[Heard], vectors: Vectors) -> None:
        self.row = row
        self._vectors = vectors
        self._heard = heard

    def find(self, seat: Seat, turn: int) -> Heard:
        for one in self._heard:
            if one.query.seat == seat and one.query.draw[-1] == turn:
                return one
        raise NotAsked

    async def ask(self, seat: Seat, turn: int) -> Result:
        return self.find(seat, turn).result

    async def vectors(self, model: One, texts: Sequence[str]) -> list[list[float] | Failed]:
        return await self._vectors(model, texts)

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        return [await job() for job in jobs]


def answer_of(topology: Topology, said: Said, attempts: Attempts, turn: int = 0) -> Answer | None:
    """What a topology answered, and its members; None where it was not asked."""
    try:
        result = _result(topology, said, turn)
    except NotAsked:
        return None
    told = _told(result)
    if isinstance(topology, Single):
        heard = said.find(topology.seat, turn)
        options = dict(topology.seat.options)
        return Answer(topology.seat.model, *told, options=options, attempts=attempts(heard))
    members = (answer_of(each, said, attempts, at) for each, at in _members(topology, turn))
    answers = [member for member in members if member is not None]
    if isinstance(topology, Cascade):
        answers[:-1] = map(_passed_over, answers[:-1])
    name = "vote" if isinstance(topology, Vote) else type(topology).__name__.lower()
    return Answer(name, *told, rule=_rule(topology), answers=tuple(answers))


def _passed_over(answer: Answer) -> Answer:
    """The answer of a member of a cascade behind which another was asked."""
    return replace(answer, message="not accepted") if answer.outcome == "ok" else answer


def _result(topology: Topology, said: Said, turn: int) -> Result:
    answering = topology.answer(said, turn)
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("what was said is waited for")


def _told(result: Result) -> tuple[str, Any, str]:
    """Outcome, value, message."""
    if isinstance(result, Value):
        return "ok", result.value, ""
    if isinstance(result, OutVoted):
        return "out-voted", None, "null is taken for it" if result.as_null else ""
    return result.outcome, None, result.message


def _members(topology: Topology, turn: int) -> list[tuple[Topology, int]]:
    """Who may be asked by a panel, in order, each with the turn of its answer."""
    match topology:
        case All(ensemble) | Poll(ensemble) | Vote(ensemble):
            n = ensemble.n
            found = [(m, turn * n + index) for m in ensemble.members for index in range(n)]
            tie = topology.tie if isinstance(topology, Vote) else "drop"
            return found if isinstance(tie, str) else [*found, (tie, turn)]
        case Cascade(members) | Fallback(members):
            return [(member, turn) for member in members]
        case _:
            return []


def _rule(topology: Topology) -> str:
    match topology:
        case All(ensemble, least):
            return f"{least} of {ensemble.size} have to answer"
        case Poll(ensemble, least):
            return f"{ensemble.size} are asked, {least} have to answer"
        case Vote(ensemble, quorum=quorum, lazy=lazy):
            weight = f"{float(quorum.weight):g}"
            wins = f"more than {weight} wins" if quorum.majority else f"{weight} or more wins"
            weights = "" if set(topology.weights) == {1} else " by weight"
            how = ", asked one by one" if lazy else getattr(topology, "rule", "")
            return f"{ensemble.size} votes{weights}, {wins}{how}"
        case Cascade(members):
            return f"the first of {len(members)} whose answer is accepted"
        case Fallback(members):
            return f"the first of {len(members)} whose endpoint answers"
        case _:
            return ""


class Bindings:
    """What a topology needs to know of its program, for ``bind``."""

    def __init__(
        self, expressions: Expressions, sampling: Callable[[One], tuple[str, Mapping[str, Any]]]
    ) -> None:
        self.constant = expressions.constant
        self.judge = expressions.function
        self.sampling = sampling
