"""The story of a row as lines: a tree from its sources down to where its ways ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from dpipe.cli.pieces import Pieces

if TYPE_CHECKING:
    from dpipe.runtime.tracing.facts import Ending, Explanation, Fate, RunFacts, Step

WHOLE = 2
"""How many of the rows that another was made of are told as a whole."""
BRANCHES = 4
"""How many of several ways are shown."""


def record_lines(told: Explanation, width: int, *, full: bool) -> Iterator[str]:
    """How a record came to be."""
    pieces = Pieces(width, full=full)
    yield from _head(
        f"{told.file}:{told.record}", f"written by sink `{told.sink}`", told.run, pieces
    )
    yield from pieces.note(told.notes)
    yield ""
    yield from _Tree(told.steps, pieces).up_to_last()
    if told.ending is not None:
        yield from pieces.ending(told.ending)
    else:
        yield from pieces.written(told)
    yield from pieces.spent(told.steps)


def fate_lines(told: Fate, width: int, *, full: bool) -> Iterator[str]:
    """What became of a row of a source."""
    pieces = Pieces(width, full=full)
    yield from _head(told.place, _sum(told.endings), told.run, pieces)
    yield from pieces.note(told.notes)
    tree = _Tree(told.steps, pieces, told.endings)
    for step in told.steps:
        if not step.parents:
            yield ""
            yield from tree.down_from(step)


def _head(subject: str, what: str, run: RunFacts, pieces: Pieces) -> Iterator[str]:
    yield f"{click.style(pieces.escape(subject), bold=True)}  {pieces.escape(what)}"
    told = f"run {run.id} of {run.program}, {run.status}"
    yield click.style(pieces.cut(pieces.escape(told)), dim=True)


def _sum(endings: Sequence[Ending]) -> str:
    """Whether a row arrived, and if not, what it ended with."""
    records = [f"{end.file}:{end.record}" for end in endings if end.file]
    if records:
        more = len(records) - BRANCHES
        shown = ", ".join(records[:BRANCHES]) + (f" and {more} more" if more > 0 else "")
        return f"arrived in {shown}"
    if any(end.reason == "counted" for end in endings):
        return "gave no record; a report counts it"
    reasons = Counter(
        end.outcome if end.reason == "failed" and end.outcome != "error" else end.reason
        for end in endings
    )
    told = ", ".join(f"{reason} at {_where(endings, reason)}" for reason in reasons)
    return f"gave no output: {told}"


def _where(endings: Iterable[Ending], reason: str) -> str:
    stages = dict.fromkeys(end.stage for end in endings if reason in (end.reason, end.outcome))
    return " and ".join(f"`{stage}`" for stage in stages)


class _Tree:
    """Rows by what came of them."""

    def __init__(
        self, steps: Sequence[Step], pieces: Pieces, endings: Sequence[Ending] = ()
    ) -> None:
        self._steps = {step.id: step for step in steps}
        self._pieces = pieces
        self._children: Mapping[int, list[Step]] = defaultdict(list)
        self._endings: Mapping[int, list[Ending]] = defaultdict(list)
        self._shown: set[int] = set()
        for step in steps:
            for parent in step.parents:
                self._children[parent].append(step)
        for ending in endings:
            self._endings[ending.row].append(ending)

    def up_to_last(self) -> Iterator[str]:
        """The last row, behind all that it came of."""
        last = [step for step in self._steps.values() if not self._children[step.id]]
        yield from self._above(last)

    def _above(self, steps: Sequence[Step]) -> Iterator[str]:
        """Rows that something was made of, each behind what it came of."""
        if len(steps) == 1:
            yield from self._behind(steps[0])
            return
        whole = len(steps) if self._pieces.full else WHOLE
        for number, step in enumerate(steps[:whole], 1):
            yield self._pieces.branch(number, len(steps))
            yield from self._pieces.inside(self._behind(step))
        yield from self._pieces.places([step.place for step in steps[whole:]])
        yield self._pieces.together()

    def _behind(self, step: Step) -> Iterator[str]:
        """A row behind what it came of; a row that was shown above is only named."""
        if step.id in self._shown:
            yield from self._pieces.again(step)
            return
        chain = [step]
        while len(chain[-1].parents) == 1:
            chain.append(self._steps[chain[-1].parents[0]])
            if chain[-1].id in self._shown:
                break
        first = chain[-1]
        if first.id not in self._shown and first.parents:
            yield from self._above([self._steps[parent] for parent in first.parents])
        for one in reversed(chain):
            if one.id in self._shown:
                yield from self._pieces.again(one)
            else:
                self._shown.add(one.id)
                yield from self._pieces.step(one)

    def down_from(self, step: Step) -> Iterator[str]:
        """A row, and what came of it."""
        while True:
            if step.id in self._shown:
                yield from self._pieces.again(step)
                return
            self._shown.add(step.id)
            yield from self._pieces.step(step)
            children, endings = self._children[step.id], self._endings[step.id]
            if len(children) != 1 or endings:
                break
            step = children[0]
        if len(endings) == 1 and not children:
            yield from self._pieces.ending(endings[0])
        else:
            yield from self._ways([*children, *endings])

    def _ways(self, ways: Sequence[Any]) -> Iterator[str]:
        shown = ways if self._pieces.full else ways[:BRANCHES]
        for number, way in enumerate(shown, 1):
            yield self._pieces.branch(number, len(ways))
            is_step = hasattr(way, "parents")
            lines = self.down_from(way) if is_step else self._pieces.ending(way)
            yield from self._pieces.inside(lines)
        yield from self._pieces.left_out(len(ways) - len(shown), "way")
