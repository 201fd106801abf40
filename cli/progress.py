"""Where a run stands: what its events add up to, and the lines that tell it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.runtime import events

_WINDOW = 10.0
"""Seconds that a rate looks back."""


class Standing:
    """A listener that keeps the latest facts of a run."""

    def __init__(self) -> None:
        self.program = ""
        self.elapsed = 0.0
        self.nodes: tuple[events.NodeCount, ...] = ()
        self.models: tuple[events.ModelCount, ...] = ()
        self.share: float | None = None
        self.failed = 0
        self.last_failure: events.RowRejected | None = None
        self._past: deque[tuple[float, int, float]] = deque()
        self._paced_by = -1

    def __call__(self, event: events.AnyEvent) -> None:
        self.elapsed = event.elapsed
        if isinstance(event, events.RunStarted):
            self.program = event.program
        elif isinstance(event, events.RowRejected):
            self.failed += 1
            self.last_failure = event
        elif isinstance(event, events.Progress):
            self.nodes, self.models, self.share = event.nodes, event.models, event.share
            self._remember()

    def _remember(self) -> None:
        if (pacer := self._pacer()) != self._paced_by:
            self._paced_by = pacer
            self._past.clear()
        self._past.append((self.elapsed, self.settled, self.share or 0.0))
        while self.elapsed - self._past[0][0] > _WINDOW:
            self._past.popleft()

    def _pacer(self) -> int:
        """The node that tells the pace: the last ask that rows have passed, else the last node."""
        asks = [at for at, node in enumerate(self.nodes) if node.label.endswith(": ask")]
        reached = [at for at in asks if _settled(self.nodes[at])]
        return (reached or asks or [len(self.nodes) - 1])[-1 if reached else 0]

    @property
    def settled(self) -> int:
        """Rows whose fate is known where the pace is told."""
        return _settled(self.nodes[self._paced_by]) if self.nodes else 0

    @property
    def rows_a_second(self) -> float | None:
        return self._slope(1)

    @property
    def seconds_left(self) -> float | None:
        """A guess from how fast the input is read; None while there is no telling."""
        speed = self._slope(2)
        if not speed or self.share is None or self.share >= 1:
            return None
        return (1 - self.share) / speed

    def _slope(self, column: int) -> float | None:
        if len(self._past) < 2 or self._past[-1][0] <= self._past[0][0]:
            return None
        first, last = self._past[0], self._past[-1]
        return (last[column] - first[column]) / (last[0] - first[0])


def _settled(node: events.NodeCount) -> int:
    return node.passed + sum(node.reasons.values())


def one_line(now: Standing) -> str:
    """Where a run stands, for a log: no colour, no cursor."""
    return " · ".join([amounts.duration(now.elapsed), *_pace(now), *map(model_line, now.models)])


def block(now: Standing, width: int, height: int) -> Iterator[str]:
    """Where a run stands, for a terminal: a line a stage, a line a model, the pace."""
    yield click.style(escape(now.program), bold=True)
    yield ""
    shown = now.nodes[: max(1, height - 8 - len(now.models))]
    labels = max((len(node.label) for node in shown), default=0)
    for node in shown:
        yield _stage_line(node, min(labels, width // 2))
    if len(shown) < len(now.nodes):
        yield click.style(f"  … and {len(now.nodes) - len(shown)} more", dim=True)
    yield ""
    for model in now.models:
        yield f"  {model_line(model)}"
    yield "  " + " · ".join([amounts.duration(now.elapsed), *_pace(now)])
    if now.last_failure is not None:
        yield click.style(f"  last failure: {_failure(now.last_failure)}", fg="yellow")


def _stage_line(node: events.NodeCount, labels: int) -> str:
    label = _cut(escape(node.label), labels)
    state = f"{amounts.count(node.left):>9}"
    waiting = (
        click.style(f"  {amounts.count(node.in_flight)} in flight", dim=True)
        if node.in_flight
        else ""
    )
    failed = sum(n for reason, n in node.reasons.items() if reason.startswith("failed"))
    lost = click.style(f"  {amounts.count(failed)} failed", fg="red") if failed else ""
    return f"  {label:<{labels}}{state}{waiting}{lost}"


def model_line(model: events.ModelCount) -> str:
    """``writer 312 calls, 84k tokens in, 12k out, $0.12, 16 in flight``"""
    parts = [amounts.count(model.calls, "call")]
    if model.calls:
        parts.append(amounts.tokens(model.input_tokens, model.output_tokens))
    if model.cost is not None:
        parts.append(amounts.money(model.cost))
    if model.in_flight:
        parts.append(f"{amounts.count(model.in_flight)} in flight")
    return f"{escape(model.name)} {', '.join(parts)}"


def _pace(now: Standing) -> Iterator[str]:
    yield amounts.count(now.settled, "row")
    if (speed := now.rows_a_second) is not None:
        yield f"{amounts.rate(speed)} rows/s"
    if now.failed:
        yield f"{amounts.count(now.failed)} failed"
    if (left := now.seconds_left) is not None:
        yield f"about {amounts.duration(left)} left"


def _failure(rejected: events.RowRejected) -> str:
    return escape(f"{rejected.place}: {rejected.stage}: {rejected.outcome}: {rejected.message}")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
