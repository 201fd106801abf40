"""Who answers: one model, or all, poll, vote, cascade and fallback over any of them.

A topology is a value without state. It asks through ``Voices``, holds nothing while its members
work, and gives one ``Result``. It knows no model, clock or nursery.

Members answer ``n`` times each, in the order a, a, b, b. An answer that cannot be had or read is
an abstention: never a vote, still a member. Answers agree when their ``on`` values are equal; of
those that agree the first in that order is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.equality import frozen
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.keys import options_meant
from dpipe.runtime.values import Values


class Meta(Struct, frozen=True):
    """What one model's answer came of; ``id`` is what its endpoint calls the model.

    ``options`` are the sampling options as the program means them, ``attempts`` counts the one
    that brought the answer, whose tokens these are; None where the endpoint counts none.
    """

    model: str
    id: str
    options: Mapping[str, Any]
    attempts: int = 1
    input_tokens: int | None = None
    output_tokens: int | None = None


class Value(Struct, frozen=True):
    """An answer; ``model`` is the name of who gave it. One model's answer has ``meta``."""

    value: Any
    model: str
    reasoning: str | None = None
    meta: Meta | None = None


class Failed(Struct, frozen=True):
    """No answer could be had. ``reply`` is the raw text of the last reply, if there was one."""

    outcome: str
    message: str
    reply: str | None = None


class OutVoted(Struct, frozen=True):
    """There were answers, and none won. ``as_null``: the program takes that for null."""

    as_null: bool = False


NEAR = 0.9
"""The cosine from which on texts agree, where the program does not say."""

Result: TypeAlias = Value | Failed | OutVoted
Judge: TypeAlias = Callable[[Values, Any], Any]
"""A lambda of the program over an answer; the stage's row comes first."""


class Seat(Struct, frozen=True, dict=True):
    """A place of one model in a topology; ``ordinal`` counts the equal ones before it."""

    model: str
    options: Mapping[str, Any]
    ordinal: int

    @cached_property
    def meant(self) -> bytes:
        """The options as they count in a key."""
        return options_meant(self.options)


class Voices(Protocol):
    """How one row's question is put to models."""

    @property
    def row(self) -> Values: ...

    async def ask(self, seat: Seat, turn: int) -> Result:
        """One answer of one model; ``turn`` tells its answers to the same question apart."""

    async def vectors(self, model: graph.One, texts: Sequence[str]) -> list[list[float] | Failed]:
        """The vector of each text, or why it has none."""

    async def together(self, jobs: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
        """The results of jobs that may run at the same time, in their order."""


class Topology(Protocol):
    async def answer(self, voices: Voices, turn: int) -> Result: ...


# -- one, all, cascade, fallback -----------------------------------------------------------------


class Single(Struct, frozen=True):
    seat: Seat

    async def answer(self, voices: Voices, turn: int) -> Result:
        return await voices.ask(self.seat, turn)


class Ensemble(Struct, frozen=True):
    """Members that answer ``n`` times each."""

    members: tuple[Topology, ...]
    n: int

    async def ballots(self, voices: Voices, turn: int) -> list[Result]:
        return await voices.together([self.job(at, voices, turn) for at in range(self.size)])

    def job(self, at: int, voices: Voices, turn: int) -> Callable[[], Awaitable[Result]]:
        """The ``at``-th of the answers that can be given."""
        member, index = divmod(at, self.n)
        return lambda: self.members[member].answer(voices, turn * self.n + index)

    @property
    def size(self) -> int:
        return len(self.members) * self.n


class All(Struct, frozen=True):
    ensemble: Ensemble
    least: int

    async def answer(self, voices: Voices, turn: int) -> Result:
        ballots = await self.ensemble.ballots(voices, turn)
        given = answers(ballots)
        if len(given) < self.least:
            return too_few(ballots, self.least)
        return Value([answer.value for answer in given], "all")


class Cascade(Struct, frozen=True):
    """The first accepted answer. The last member decides: its answer is kept or dropped."""

    members: tuple[Topology, ...]
    accept: Judge | None
    last: Literal["keep", "drop"]

    async def answer(self, voices: Voices, turn: int) -> Result:
        result: Result = OutVoted()
        for member in self.members:
            result = await member.answer(voices, turn)
            if isinstance(result, Value):
                accepted = self._accepts(voices.row, result)
                if accepted is not False:
                    return result if accepted is True else accepted
        if isinstance(result, Value):
            return result if self.last == "keep" else OutVoted()
        return result

    def _accepts(self, row: Values, answer: Value) -> bool | Failed:
        try:
            return self.accept is None or bool(self.accept(row, answer.value))
        except NoValue as reason:
            return Failed("error", str(reason))


class Fallback(Struct, frozen=True):
    """The next member only when the endpoint of the one before fails."""

    members: tuple[Topology, ...]

    async def answer(self, voices: Voices, turn: int) -> Result:
        result: Result = OutVoted()
        for member in self.members:
            result = await member.answer(voices, turn)
            if not (isinstance(result, Failed) and result.outcome == "unavailable"):
                break
        return result


def answers(ballots: Sequence[Result]) -> list[Value]:
    return [ballot for ballot in ballots if isinstance(ballot, Value)]


def first_failure(ballots: Sequence[Result]) -> Failed | None:
    return next((ballot for ballot in ballots if isinstance(ballot, Failed)), None)


def too_few(ballots: Sequence[Result], least: int) -> Result:
    """The failure of the first member that failed, told as that of the whole."""
    failure = first_failure(ballots)
    if failure is None:
        return OutVoted()
    got = len(answers(ballots))
    message = f"{got} of {len(ballots)} answers, {least} needed: {failure.message}"
    return Failed(failure.outcome, message, failure.reply)


# -- counting ------------------------------------------------------------------------------------


class Group:
    """Answers that agree: the first of them, and the sum of their weights."""

    __slots__ = ("kept", "weight")

    def __init__(self, kept: Value) -> None:
        self.kept = kept
        self.weight = Fraction(0)


class Count:
    """Answers by what they agree on. Weights are exact, so that a tie is a tie."""

    def __init__(self, row: Values, on: Judge | None) -> None:
        self._row = row
        self._on = on
        self._groups: dict[Hashable, Group] = {}

    def add(self, answer: Value, weight: Fraction) -> None:
        """Raises ``NoValue`` where ``on`` has no value for the answer."""
        agreed = answer.value if self._on is None else self._on(self._row, answer.value)
        self._groups.setdefault(frozen(agreed), Group(answer)).weight += weight

    def top(self) -> tuple[Fraction, Fraction]:
        """The weights of the largest group and of the next."""
        weights = sorted((group.weight for group in self._groups.values()), reverse=True)
        return (*weights, Fraction(0), Fraction(0))[:2]  # type: ignore[return-value]

    def winner(self, left: Fraction = Fraction(0)) -> Group | None:
        """The group with the most, if no other can reach as much with what is left."""
        first, second = self.top()
        if second + left >= first:
            return None
        return next(group for group in self._groups.values() if group.weight == first)


class Poll(Struct, frozen=True):
    """Every answer, and where they are counted the winner and the share of the largest group."""

    ensemble: Ensemble
    least: int
    on: Judge | None
    counted: bool

    async def answer(self, voices: Voices, turn: int) -> Result:
        ballots = await self.ensemble.ballots(voices, turn)
        given = answers(ballots)
        if len(given) < self.least:
            return too_few(ballots, self.least)
        try:
            record = self._outcome(voices.row, given) if self.counted else {}
        except NoValue as reason:
            return Failed("error", str(reason))
        record["votes"] = [{"model": one.model, "answer": one.value} for one in given]
        return Value(record, "poll")

    def _outcome(self, row: Values, given: list[Value]) -> dict[str, Any]:
        count = Count(row, self.on)
        for one in given:
            count.add(one, Fraction(1))
        winner = count.winner()
        largest, _ = count.top()
        return {
            "winner": winner.kept.value if winner else None,
            "agreement": float(largest / len(given)),
        }


class Quorum(Struct, frozen=True):
    """The weight that wins: at least, or for a majority more than."""

    weight: Fraction
    majority: bool

    def met(self, weight: Fraction) -> bool:
        return weight > self.weight if self.majority else weight >= self.weight


class Vote(Struct, frozen=True):
    """One answer, if enough members agree; ``weights`` are per member."""

    ensemble: Ensemble
    on: Judge | None
    weights: tuple[Fraction, ...]
    quorum: Quorum
    tie: Topology | Literal["drop", "null"]
    lazy: bool

    async def answer(self, voices: Voices, turn: int) -> Result:
        elect = self._elect_lazily if self.lazy else self._elect
        ballots: list[Result] = []
        try:
            winner = await elect(voices, turn, ballots)
        except NoValue as reason:
            return Failed("error", str(reason))
        return winner.kept if winner else await self.tied(voices, turn, ballots)

    async def _elect(self, voices: Voices, turn: int, ballots: list[Result]) -> Group | None:
        ballots += await self.ensemble.ballots(voices, turn)
        count = Count(voices.row, self.on)
        for at, ballot in enumerate(ballots):
            self._add(count, at, ballot)
        return self._winner(count, Fraction(0))

    async def _elect_lazily(self, voices: Voices, turn: int, ballots: list[Result]) -> Group | None:
        count = Count(voices.row, self.on)
        left = sum(self.weights, Fraction(0)) * self.ensemble.n
        for at in range(self.ensemble.size):
            winner = self._winner(count, left)
            if winner or (answers(ballots) and not self._winnable(count, left)):
                return winner
            ballots.append(await self.ensemble.job(at, voices, turn)())
            self._add(count, at, ballots[-1])
            left -= self.weight(at)
        return self._winner(count, left)

    def _winner(self, count: Count, left: Fraction) -> Group | None:
        """The group that wins whatever becomes of the weight that is left."""
        winner = count.winner(left)
        return winner if winner and self.quorum.met(winner.weight) else None

    def _winnable(self, count: Count, left: Fraction) -> bool:
        """Whether a group wins if it gets all the weight that is left."""
        first, second = count.top()
        return first + left > second and self.quorum.met(first + left)

    def _add(self, count: Count, at: int, ballot: Result) -> None:
        if isinstance(ballot, Value):
            count.add(ballot, self.weight(at))

    def weight(self, at: int) -> Fraction:
        """What the ``at``-th ballot weighs."""
        return self.weights[at // self.ensemble.n]

    async def tied(self, voices: Voices, turn: int, ballots: list[Result]) -> Result:
        """No winner. A row of which nobody could say anything has failed, and was not out-voted."""
        if not isinstance(self.tie, str):
            return await self.tie.answer(voices, turn)
        if not answers(ballots) and first_failure(ballots):
            return too_few(ballots, 1)
        return OutVoted(as_null=self.tie == "null")


# -- from the graph ------------------------------------------------------------------------------


class Binder(Protocol):
    """What a topology needs to know of the program around it."""

    def constant(self, expr: graph.Expr) -> Any:
        """The value of an expression that sees no row."""

    def judge(self, function: graph.Lambda) -> Judge: ...

    def sampling(self, model: graph.One) -> tuple[str, Mapping[str, Any]]:
        """The scope of a model, and its sampling options as they are in force."""


def bind(answerer: graph.Answerer, binder: Binder) -> tuple[Topology, tuple[Seat, ...]]:
    """The topology, and the seats in it. Raises ``UsageError`` for settings without sense."""
    builder = _Builder(binder)
    return builder.build(answerer), tuple(builder.seats)


class _Builder:
    """Builds one topology; equal models in it get their ordinals in the order of the text."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._equal: Counter[Hashable] = Counter()
        self.seats: list[Seat] = []

    def build(self, answerer: graph.Answerer) -> Topology:
        match answerer:
            case graph.One():
                return Single(self._seat(answerer))
            case graph.All(members, n, least):
                return All(self._ensemble(members, n), self._constant(least))
            case graph.Poll(members, on, n, least, counted):
                ensemble = self._ensemble(members, n)
                return Poll(ensemble, self._constant(least), self._judge(on), counted)
            case graph.Vote():
                return self._vote(answerer)
            case graph.Cascade(members, accept, last):
                kept: Literal["keep", "drop"] = "drop" if last == "drop" else "keep"
                return Cascade(self._members(members), self._judge(accept), kept)
            case graph.Fallback(members):
                return Fallback(self._members(members))

    def _vote(self, vote: graph.Vote) -> Vote:
        ensemble = self._ensemble(vote.members, vote.n)
        weights = self._weights(vote)
        tie: Topology | Literal["drop", "null"]
        if isinstance(vote.tie, str):
            tie = "null" if vote.tie == "null" else "drop"
        else:
            tie = self.build(vote.tie)
        quorum = self._quorum(vote.quorum, sum(weights, Fraction(0)) * ensemble.n)
        lazy = bool(self._constant(vote.lazy))
        made = Vote(ensemble, self._judge(vote.on), weights, quorum, tie, lazy)
        return self._by_meaning(made, vote.by) if isinstance(vote, graph.VoteNear) else made

    def _by_meaning(self, vote: Vote, by: graph.Method) -> Vote:
        from dpipe.runtime.meaning import VoteNear  # numpy, only where a vote needs it

        model, threshold = by.args["model"], by.args.get("threshold")
        assert isinstance(model, graph.One)
        near = self._constant(threshold) if isinstance(threshold, graph.Expr) else NEAR
        return VoteNear(
            **{name: getattr(vote, name) for name in vote.__struct_fields__}, model=model, near=near
        )

    def _quorum(self, declared: graph.Expr | None, total: Fraction) -> Quorum:
        if declared is None:
            return Quorum(total / 2, majority=True)
        wanted = _exact(self._constant(declared))
        if wanted > total:
            raise UsageError(f"a vote with `quorum: {wanted}` can never be won: all have {total}")
        return Quorum(wanted, majority=False)

    def _weights(self, vote: graph.Vote) -> tuple[Fraction, ...]:
        members = len(vote.members)
        if vote.weights is None:
            return (Fraction(1),) * members
        weights = tuple(map(_exact, self._constant(vote.weights)))
        if len(weights) != members:
            raise UsageError(f"`weights:` has {len(weights)} numbers for {members} members")
        if min(weights) < 0:
            raise UsageError("a weight of a vote cannot be below 0")
        return weights

    def _ensemble(self, members: Sequence[graph.Answerer], n: graph.Expr) -> Ensemble:
        return Ensemble(self._members(members), self._constant(n))

    def _members(self, members: Sequence[graph.Answerer]) -> tuple[Topology, ...]:
        return tuple(self.build(member) for member in members)

    def _seat(self, one: graph.One) -> Seat:
        scope, options = self._binder.sampling(one)
        kind = (scope, frozen(dict(options)))
        seat = Seat(one.model, options, self._equal[kind])
        self._equal[kind] += 1
        self.seats.append(seat)
        return seat

    def _constant(self, expr: graph.Expr) -> Any:
        return self._binder.constant(expr)

    def _judge(self, function: graph.Lambda | None) -> Judge | None:
        return None if function is None else self._binder.judge(function)


def _exact(number: float) -> Fraction:
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(str(number))
