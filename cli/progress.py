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

_WORTH_TELLING = 3.0
"""Seconds that the trouble of a model has to last."""


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
        self.stopping = ""
        self._past: deque[tuple[float, list[int]]] = deque()

    def __call__(self, event: events.AnyEvent) -> None:
        self.elapsed = event.elapsed
        if isinstance(event, events.RunStarted):
            self.program = event.program
        elif isinstance(event, events.RowRejected):
            self.failed += 1
            self.last_failure = event
        elif isinstance(event, events.Stopping):
            self.stopping = event.reason
        elif isinstance(event, events.Progress):
            self.nodes, self.models, self.share = event.nodes, event.models, event.share
            self._remember()

    def _remember(self) -> None:
        self._past.append((self.elapsed, [_settled(node) for node in self.nodes]))
        while self.elapsed - self._past[0][0] > _WINDOW:
            self._past.popleft()

    @property
    def settled(self) -> int:
        """Rows whose fate is known where the pace is told: at the last ask that any have passed."""
        return self._past[-1][1][self._pacer] if self.nodes else 0

    @property
    def rows_a_second(self) -> float | None:
        """How fast rows are settled there, over the last seconds."""
        return self._pace(self._pacer) if self.nodes else None

    @property
    def seconds_left(self) -> float | None:
        """A guess from the rows to come at the ask that will take longest; None without one."""
        left = [self._seconds_left(at) for at in self._slow]
        known = [seconds for seconds in left if seconds is not None]
        return max(known) if known and len(known) == len(left) else None

    def _seconds_left(self, at: int) -> float | None:
        if not (pace := self._pace(at)) or not self.share:
            return None
        expected = max(self.nodes[max(0, at - 1)].left, self.nodes[at].entered) / self.share
        return max(0.0, expected - _settled(self.nodes[at])) / pace

    @property
    def _slow(self) -> list[int]:
        """The nodes where a run spends its time: its asks, or what stands for them."""
        asks = [at for at, node in enumerate(self.nodes) if node.label.endswith(": ask")]
        return asks or [len(self.nodes) - 1]

    @property
    def _pacer(self) -> int:
        reached = [at for at in self._slow if _settled(self.nodes[at])]
        return reached[-1] if reached else self._slow[0]

    def _pace(self, at: int) -> float | None:
        """Rows a second that a node settled over the last seconds."""
        (began, before), (ended, now) = self._past[0], self._past[-1]
        return (now[at] - before[at]) / (ended - began) if ended > began else None


def _settled(node: events.NodeCount) -> int:
    return node.passed + sum(node.reasons.values())


def one_line(now: Standing) -> str:
    """Where a run stands, for a log: no colour, no cursor."""
    parts = [amounts.duration(now.elapsed), *_pace(now), *map(model_line, now.models)]
    return " · ".join([*parts, *_troubles(now)])


def block(now: Standing, width: int, height: int) -> Iterator[str]:
    """Where a run stands, for a terminal: a line a stage, a line a model, the pace."""
    yield click.style(escape(now.program), bold=True)
    yield ""
    shown = now.nodes[: max(1, height - 8 - 2 * len(now.models))]
    labels = max((len(node.label) for node in shown), default=0)
    for node in shown:
        yield _stage_line(node, min(labels, width // 2))
    if len(shown) < len(now.nodes):
        yield click.style(f"  … and {len(now.nodes) - len(shown)} more", dim=True)
    yield ""
    for model in now.models:
        yield f"  {model_line(model)}"
    yield "  " + " · ".join([amounts.duration(now.elapsed), *_pace(now)])
    for trouble in _troubles(now):
        yield click.style(f"  {trouble}", fg="yellow")
    if now.last_failure is not None:
        yield click.style(f"  last failure: {_failure(now.last_failure)}", fg="yellow")


def _stage_line(node: events.NodeCount, labels: int) -> str:
    label = _cut(escape(node.label), labels)
    state = f"{amounts.count(node.left):>9}"
    waiting = (
        click.style(f"  {amounts.count(node.in_flight)} under way", dim=True)
        if node.in_flight
        else ""
    )
    failed = sum(n for reason, n in node.reasons.items() if reason.startswith("failed"))
    lost = click.style(f"  {amounts.count(failed)} failed", fg="red") if failed else ""
    return f"  {label:<{labels}}{state}{waiting}{lost}"


def model_line(model: events.ModelCount) -> str:
    """``writer 312 calls, 84k tokens in, 12k out, $0.12, 16 in flight``"""
    parts = [amounts.count(model.calls, "call")]
    if model.input_tokens or model.output_tokens:
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


def _troubles(now: Standing) -> Iterator[str]:
    if now.stopping:
        yield f"stopping: {escape(now.stopping)}"
    for model in now.models:
        name, trouble = escape(model.name), model.trouble
        if trouble is not None and trouble.seconds >= _WORTH_TELLING:
            yield f"{name}: {escape(trouble.message)}, {_what_is_done(trouble)}"
        for place in model.resting:
            yield f"{name}: {escape(place)} does not answer and is left alone for a while"


def _what_is_done(trouble: events.Trouble) -> str:
    if trouble.given_up:
        return "its rows fail until it answers again"
    return f"trying again (attempt {trouble.times + 1})"


def _failure(rejected: events.RowRejected) -> str:
    return escape(f"{rejected.place}: {rejected.stage}: {rejected.outcome}: {rejected.message}")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
