"""What ``dpipe cache`` says, line by line; nothing of a reply reaches a terminal as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from dpipe.cli import amounts, console
from dpipe.cli.console import escape

if TYPE_CHECKING:
    from dpipe.runtime.cache.reports import (
        Answer,
        Attempt,
        Checked,
        Exported,
        Imported,
        Info,
        Listing,
        Pruned,
        Share,
        Shown,
        Spent,
    )

TOLD = 10
"""Damaged things that are told one by one."""
KEY = 12
"""Digits of a key that tell it from others."""


def size(number: float) -> str:
    """``84 kB``, ``1.2 MB``"""
    text = amounts.short(number)
    return f"{text[:-1]} {text[-1]}B" if text[-1].isalpha() else f"{text} B"


def moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M}" if at else "at an unknown time"


def of_info(info: Info) -> Iterator[str]:
    yield f"{click.style(escape(info.journal), bold=True)}  {size(info.bytes)}"
    count = amounts.count(info.answers, "answer")
    if info.oldest is not None and info.newest is not None:
        count += f", from {moment(info.oldest)} to {moment(info.newest)}"
    yield count
    more = [
        amounts.count(info.attempts, "attempt") if info.attempts != info.answers else "",
        amounts.count(info.vectors, "vector") if info.vectors else "",
        f"{amounts.count(info.got_over, 'failure')} that rows got over" if info.got_over else "",
    ]
    if any(more):
        yield f"beside them: {', '.join(filter(None, more))}"
    yield _unused(info)
    yield from _spent(info.spent)
    yield from _shares("model", info.models)
    yield from _shares("prompt", info.prompts)
    yield from _outcomes(info.outcomes)


def _unused(info: Info) -> str:
    if info.unused is None:
        return "what the programs still use is not known until each has run to its end again"
    if not info.unused:
        return "the programs used all of it in their last whole runs, or since"
    count = amounts.count(info.unused)
    return f"{count} of it were not used by the programs in their last whole runs, nor since"


def _spent(spent: Spent) -> Iterator[str]:
    if not spent.runs:
        return
    cost = f" for {amounts.money(spent.cost)}" if spent.cost else ""
    saved = f", which saved about {amounts.money(spent.saved)}" if spent.saved else ""
    yield (
        f"{amounts.count(spent.runs, 'run')} made {amounts.count(spent.calls, 'call')}{cost} and"
        f" took {amounts.count(spent.recalled, 'answer')} from here{saved}"
    )


def _shares(title: str, shares: Sequence[Share]) -> Iterator[str]:
    rows = [
        (
            escape(share.name) or "(not known)",
            amounts.count(share.answers),
            f"{amounts.count(share.failed)} failed" if share.failed else "",
            size(share.bytes),
        )
        for share in shares
    ]
    yield from _table(f"by {title}", rows)


def _outcomes(outcomes: dict[str, int]) -> Iterator[str]:
    yield from _table(
        "by outcome", [(escape(name), amounts.count(n)) for name, n in outcomes.items()]
    )


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows below their title: the first column to the left, the others to the right."""
    if not rows:
        return
    yield ""
    yield click.style(title, dim=True)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([f"  {first:{widths[0]}}", *cells]).rstrip()


# -- one by one ----------------------------------------------------------------------------------


def of_list(listing: Listing) -> Iterator[str]:
    if not listing.answers:
        yield "no such answer is recorded"
    width = console.width()
    for answer in listing.answers:
        yield from _answer(answer, width)
    if listing.of > len(listing.answers):
        yield f"{amounts.count(listing.of - len(listing.answers))} more; -n shows more of them"


def _answer(answer: Answer, width: int) -> Iterator[str]:
    tried = f"  {amounts.count(answer.attempts, 'attempt')}" if answer.attempts > 1 else ""
    facts = "  ".join(map(escape, filter(None, (answer.model, answer.prompt, answer.program))))
    key = click.style(answer.key[:KEY], bold=True)
    outcome = click.style(answer.outcome, fg="green" if answer.outcome == "ok" else "yellow")
    yield f"{key}  {moment(answer.at)}  {outcome}{tried}  {facts}"
    begins = escape(" ".join(answer.begins.split()))
    yield f"  {begins if len(begins) <= width - 2 else begins[: width - 3] + '…'}"


def of_show(shown: Shown) -> Iterator[str]:
    yield click.style(shown.key, bold=True)
    facts = [("model", shown.model), ("prompt", shown.prompt), ("program", shown.program)]
    for name, value in facts:
        if value:
            yield f"  {name:8} {escape(value)}"
    for attempt in shown.attempts:
        yield ""
        yield from _attempt(attempt)


def _attempt(attempt: Attempt) -> Iterator[str]:
    head = f"attempt {attempt.attempt + 1}: {attempt.outcome}  {moment(attempt.at)}"
    yield click.style(head, fg="green" if attempt.outcome == "ok" else "yellow")
    facts = [
        f"run {attempt.run}" if attempt.run else "",
        f"max_tokens {attempt.max_tokens}" if attempt.max_tokens is not None else "",
        f"finish {attempt.finish}" if attempt.finish else "",
        amounts.tokens(attempt.usage.input, attempt.usage.output) if attempt.usage else "",
    ]
    yield "  " + escape(", ".join(filter(None, facts)))
    for title, text in (
        ("message", attempt.message),
        ("refusal", attempt.refusal),
        ("reasoning", attempt.reasoning),
        ("reply", attempt.text),
    ):
        if text:
            yield f"  {title}:"
            yield from (textwrap.indent(escape(line), "    ") for line in text.split("\n"))


# -- what was done -------------------------------------------------------------------------------


def _entries(answers: int, vectors: int) -> str:
    told = amounts.count(answers, "answer")
    return f"{told} and {amounts.count(vectors, 'vector')}" if vectors else told


def of_prune(pruned: Pruned) -> Iterator[str]:
    what = f"{_entries(pruned.answers, pruned.vectors)}, about {size(pruned.bytes)}"
    if not pruned.answers + pruned.vectors:
        yield "nothing is to be pruned"
    elif pruned.dry_run:
        yield f"would remove {what}; nothing was removed"
    else:
        yield f"removed {what}; the journal has {size(pruned.left)} now"


def of_export(exported: Exported) -> Iterator[str]:
    what = _entries(exported.answers, exported.vectors)
    yield f"wrote {what} to {escape(exported.path)}, {size(exported.bytes)}"


def of_import(imported: Imported) -> Iterator[str]:
    known = f"; {amounts.count(imported.known)} were known" if imported.known else ""
    yield f"took {_entries(imported.answers, imported.vectors)}{known}"
    damaged = imported.damaged
    for bad in damaged[:TOLD]:
        yield click.style(f"{escape(imported.path)}:{bad.line}: {escape(bad.why)}", fg="red")
    if damaged:
        yield f"{amounts.count(len(damaged), 'line')} left out, for they are damaged"


def of_check(checked: Checked) -> Iterator[str]:
    whole = f"{amounts.count(checked.attempts, 'attempt')} and " if checked.vectors else ""
    whole += (
        amounts.count(checked.vectors, "vector")
        if checked.vectors
        else amounts.count(checked.attempts, "attempt")
    )
    if checked.kept_as:
        lost = len(checked.damaged)
        were = "entry was" if lost == 1 else "entries were"
        yield f"kept {whole}; {lost} damaged {were} left out"
        yield f"the damaged file is {escape(checked.kept_as)}; remove it when nothing is missing"
        return
    if checked.is_whole:
        yield f"{whole}: all whole"
        return
    for fault in checked.faults:
        yield click.style(escape(fault), fg="red")
    for damage in checked.damaged[:TOLD]:
        yield click.style(f"{damage.kind} {damage.key[:KEY]}: its checksum is wrong", fg="red")
    yield f"{amounts.count(len(checked.damaged))} of {whole} are damaged"
    yield "`dpipe cache check --repair` keeps the others; what is lost is asked again"
