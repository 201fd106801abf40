"""The end of a run: what came in, what was kept, what went where and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import click

from dpipe.cli import amounts
from dpipe.cli.console import escape
from dpipe.runtime.events import NodeCount

_REASONS = {
    "filtered": "filtered",
    "duplicate": "duplicate",
    "outvoted": "out-voted",
    "surplus": "surplus",
    "empty": "empty",
}
_FAILED = "failed:"


def funnel(nodes: Iterable[NodeCount], sources: Collection[str], width: int) -> Iterator[str]:
    """A line a node: how many rows entered, how many came out, why others did not."""
    lines = [(*_names(node.label), node) for node in nodes]
    first = max((len(flow) for flow, _, _ in lines), default=0)
    second = max((len(stage) for _, stage, _ in lines), default=0)
    yield click.style(f"  {'':{first}}  {'':{second}}  {'in':>9}  {'out':>9}", dim=True)
    above = ""
    for flow, stage, node in lines:
        entered = "" if node.label in sources else amounts.count(node.entered)
        shown = flow if flow != above or not stage else ""
        above = flow
        head = f"  {shown:{first}}  {stage:{second}}  {entered:>9}  {amounts.count(node.left):>9}"
        yield from _with_reasons(head, node.reasons, width)


def _names(label: str) -> tuple[str, str]:
    """A node's flow and stage; sources and sinks have no stage."""
    flow, _, stage = label.partition(": ")
    return escape(flow), escape(stage)


def _with_reasons(head: str, reasons: Mapping[str, int], width: int) -> Iterator[str]:
    """The reasons stand behind the counts, or below them where the line has no room."""
    told = list(tell_reasons(reasons))
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
    failed = {
        reason.removeprefix(_FAILED): count
        for reason, count in reasons.items()
        if reason.startswith("failed") and count
    }
    if failed:
        total = f"{amounts.count(sum(failed.values()))} failed"
        details = ", ".join(_outcome(*item) for item in sorted(failed.items(), key=_most_first))
        yield click.style(f"{total} ({details})", fg="red")


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _outcome(outcome: str, count: int) -> str:
    return f"{amounts.count(count)} {outcome.replace('_', ' ')}"
