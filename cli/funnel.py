"""What became of a run's rows: what came in, what was kept, what went where and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape

_REASONS = {
    "filtered": "filtered",
    "duplicate": "duplicate",
    "contaminated": "contaminated",
    "unmatched": "without match",
    "done": "done",
    "outvoted": "out-voted",
    "surplus": "surplus",
    "empty": "empty",
}
_FAILED = "failed:"


class Node(Protocol):
    """What became of a node's rows, as an event or a record tells it."""

    @property
    def label(self) -> str: ...
    @property
    def entered(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def reasons(self) -> Mapping[str, int]: ...


class Model(Protocol):
    """What a model was asked, as an event or a record tells it."""

    @property
    def name(self) -> str: ...
    @property
    def calls(self) -> int: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def failed(self) -> Mapping[str, int]: ...


def summary(
    nodes: Iterable[Node],
    files: Mapping[str, int],
    models: Iterable[Model],
    width: int,
    recalled: int = 0,
) -> Iterator[str]:
    """All that is told of a run: its funnel, its files, its models.

    ``recalled`` answers came from the journal.
    """
    for part in (funnel(nodes, width), outputs(files), asked(models, recalled)):
        if lines := list(part):
            yield ""
            yield from lines


def funnel(nodes: Iterable[Node], width: int) -> Iterator[str]:
    """A line a node: how many rows entered, how many came out, why others did not."""
    lines = [(*_names(node.label), node) for node in nodes]
    first = max((len(flow) for flow, _, _ in lines), default=0)
    second = max((len(stage) for _, stage, _ in lines), default=0)
    wide = max((len(amounts.count(max(n.entered, n.left))) for *_, n in lines), default=0)
    wide = 3 + max(wide, len("out"))
    yield click.style(f"  {'':{first}}  {'':{second}}{'in':>{wide}}{'out':>{wide}}", dim=True)
    above = ""
    for flow, stage, node in lines:
        shown = flow if flow != above or not stage else ""
        above = flow
        counts = f"{amounts.count(node.entered):>{wide}}{amounts.count(node.left):>{wide}}"
        yield from _with_reasons(f"  {shown:{first}}  {stage:{second}}{counts}", node, width)


def _names(label: str) -> tuple[str, str]:
    """A node's flow and stage; sources and sinks have no stage."""
    flow, _, stage = label.partition(": ")
    return escape(flow), escape(stage)


def _with_reasons(head: str, node: Node, width: int) -> Iterator[str]:
    """The reasons stand behind the counts, or below them where the line has no room."""
    told = list(tell_reasons(node.reasons))
    text = click.style(", ", dim=True).join(told)
    if told and len(head) + 2 + len(click.unstyle(text)) > width:
        yield head
        for reason in told:
            yield f"      {reason}"
    else:
        yield f"{head}  {text}" if told else head


def tell_reasons(reasons: Mapping[str, int]) -> Iterator[str]:
    """``4 filtered``, ``3 failed (2 truncated, 1 refused)``"""
    for reason, word in _REASONS.items():
        if count := reasons.get(reason):
            yield click.style(f"{amounts.count(count)} {word}", dim=True)
    if failed := _failures(reasons):
        text = f"{amounts.count(sum(failed.values()))} failed{_details(failed)}"
        yield click.style(text, fg="red")


def _details(failed: Mapping[str, int]) -> str:
    """How they failed, the most frequent first; a plain error needs no word of its own."""
    outcomes = sorted(failed.items(), key=_most_first)
    if len(outcomes) > 1:
        return f" ({', '.join(_outcome(*item) for item in outcomes)})"
    only = outcomes[0][0]
    return "" if only == "error" else f" ({only.replace('_', ' ')})"


def _failures(reasons: Mapping[str, int]) -> dict[str, int]:
    return {
        reason.removeprefix(_FAILED): count
        for reason, count in reasons.items()
        if reason.startswith(_FAILED) and count
    }


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _outcome(outcome: str, count: int) -> str:
    return f"{amounts.count(count)} {outcome.replace('_', ' ')}"


def outputs(files: Mapping[str, int]) -> Iterator[str]:
    """A line a complete file, with its rows."""
    longest = max(map(len, files), default=0)
    for path, rows in files.items():
        yield f"  {escape(path):{longest}}  {amounts.count(rows, 'row'):>9}"


def asked(models: Iterable[Model], recalled: int = 0) -> Iterator[str]:
    """A line a model with what it was asked and what that cost, then what cost nothing."""
    for model in models:
        parts = [amounts.count(model.calls, "call")]
        if model.input_tokens or model.output_tokens:
            parts.append(amounts.tokens(model.input_tokens, model.output_tokens))
        if model.cost is not None:
            parts.append(amounts.money(model.cost))
        failed = f"; {failed_calls(model.failed)}" if model.failed else ""
        yield f"  {escape(model.name)}: {', '.join(parts)}{failed}"
    if recalled:
        yield f"  {amounts.count(recalled, 'answer')} from the journal, at no cost"


def failed_calls(failed: Mapping[str, int]) -> str:
    """``14 failed: 11 × 500, 3 × timeout``"""
    ways = ", ".join(
        f"{amounts.count(n)} × {way}" for way, n in sorted(failed.items(), key=_most_first)
    )
    return f"{amounts.count(sum(failed.values()))} failed: {ways}"
