"""A vote by meaning: answers agree whose texts say much the same."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.answerers import Failed, Result, Value, Voices, Vote, answers
from dpipe.runtime.cosines import cosines, units
from dpipe.runtime.errors import NoValue


class Ballot(Struct, frozen=True):
    """An answer with its weight, and its cosine to each of the answers."""

    answer: Value
    weight: Fraction
    likeness: tuple[Fraction, ...]


class VoteNear(Vote, frozen=True):
    """Each answer has the weight of those that lie near it, cosine ``near`` or more, on its side.

    The one with the most on its side names the group: those near it. The group wins if no answer
    outside has as much and the quorum is met. Kept is its medoid, the answer whose cosines to the
    group, by weight, have the largest sum. Where each answer is near its equals alone, this is a
    vote by equality.
    """

    model: graph.One
    near: float

    @property
    def rule(self) -> str:
        return f", alike from a cosine of {self.near:g}"

    async def answer(self, voices: Voices, turn: int) -> Result:
        ballots = await self.ensemble.ballots(voices, turn)
        try:
            texts = [self._text(voices, answer) for answer in answers(ballots)]
        except NoValue as reason:
            return Failed("error", str(reason))
        distinct = list(dict.fromkeys(texts))
        found = await voices.vectors(self.model, distinct) if len(distinct) > 1 else [[1.0]]
        vectors = [vector for vector in found if not isinstance(vector, Failed)]
        if len(vectors) < len(found):
            return next(failure for failure in found if isinstance(failure, Failed))
        weights = [self.weight(at) for at, one in enumerate(ballots) if isinstance(one, Value)]
        places = [distinct.index(text) for text in texts]
        likeness = _likeness(vectors, places)
        given = list(map(Ballot, answers(ballots), weights, likeness))
        kept = self._kept(given)
        return kept.answer if kept else await self.tied(voices, turn, ballots)

    def _text(self, voices: Voices, answer: Value) -> str:
        text = answer.value if self.on is None else self.on(voices.row, answer.value)
        assert isinstance(text, str)
        return text

    def _kept(self, given: Sequence[Ballot]) -> Ballot | None:
        """The medoid of the group that wins."""
        groups = [self._group(given, ballot) for ballot in given]
        sides = [sum((given[at].weight for at in group), Fraction(0)) for group in groups]
        order = [(side, _closeness(given, at, groups[at])) for at, side in enumerate(sides)]
        if not order:
            return None
        leader = order.index(max(order))
        group, most = groups[leader], sides[leader]
        rivals = [at for at, side in enumerate(sides) if side == most and at not in group]
        if rivals or not self.quorum.met(most):
            return None
        return given[max(group, key=lambda at: _closeness(given, at, group))]

    def _group(self, given: Sequence[Ballot], ballot: Ballot) -> list[int]:
        return [at for at in range(len(given)) if ballot.likeness[at] >= self.near]


def _closeness(given: Sequence[Ballot], at: int, group: Sequence[int]) -> Fraction:
    """The sum of an answer's cosines to a group, each by its weight."""
    return sum((given[at].likeness[n] * given[n].weight for n in group), Fraction(0))


def _likeness(
    vectors: Sequence[Sequence[float]], places: Sequence[int]
) -> list[tuple[Fraction, ...]]:
    """The cosines of answers, of which ``places`` tells each one's vector; 1 of equal texts."""
    exact = units(vectors)
    table = cosines(exact, exact).tolist()
    return [
        tuple(Fraction(1) if one == other else Fraction(table[one][other]) for other in places)
        for one in places
    ]
