"""The parts of a row's story: rows, questions, answers, endings, each as lines of a tree.

Texts are escaped, and shortened unless all is to be shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import click

from dpipe.cli import amounts, console

if TYPE_CHECKING:
    from dpipe.runtime.models.protocol import Message
    from dpipe.runtime.tracing.facts import (
        Answer,
        Attempt,
        Ending,
        Explanation,
        Question,
        Step,
    )

LINES = 3
"""How many lines of a text are shown."""
PLACES = 8
"""How many places of rows are named."""
_REASONS = {
    "counted": "counted in the report",
    "duplicate": "a duplicate",
    "contaminated": "shares a run of words with the benchmark",
    "empty": "it has no parts",
    "filtered": "filtered: the test does not hold",
    "looked at": "only looked at",
    "outvoted": "out-voted",
    "python": "taken by Python, which does not tell what it made of it",
    "surplus": "surplus: no more rows were wanted",
    "unmatched": "without match",
}
"""The ledger's words for why a row's way ended, as people say it."""
_BAR = "│ "


class Pieces:
    """Makes lines of at most ``width``; with ``full`` nothing is left out."""

    escape = staticmethod(console.escape)

    def __init__(self, width: int, *, full: bool) -> None:
        self.full = full
        self._width = width

    # -- the tree --------------------------------------------------------------------------------

    def branch(self, number: int, of: int) -> str:
        return click.style(f"├ {number} of {of}", dim=True)

    def together(self) -> str:
        return click.style("╰", dim=True)

    def inside(self, lines: Iterable[str]) -> Iterator[str]:
        """Lines that stand in a branch."""
        self._width -= len(_BAR)
        for line in lines:
            yield click.style(_BAR, dim=True) + line
        self._width += len(_BAR)

    def places(self, places: Sequence[str]) -> Iterator[str]:
        """Rows that are not told, by where they came from."""
        if not places:
            return
        sources = list(dict.fromkeys(places))
        shown = ", ".join(sources[:PLACES])
        left = len(sources) - PLACES
        more = f" and {amounts.count(left)} more" if left > 0 else ""
        told = f"{amounts.count(len(places), 'more row')}, from {shown}{more}"
        for line in _pieces(console.escape(told), self._width - 4):
            yield click.style(f"├ {line}", dim=True)

    def left_out(self, count: int, noun: str) -> Iterator[str]:
        if count > 0:
            yield click.style(f"├ {amounts.count(count, f'more {noun}')}: see --full", dim=True)

    def note(self, notes: Iterable[str]) -> Iterator[str]:
        for note in notes:
            yield click.style(click.wrap_text(console.escape(note), self._width), fg="yellow")

    def cut(self, text: str) -> str:
        return _short(text, self._width)

    # -- rows ------------------------------------------------------------------------------------

    def step(self, step: Step) -> Iterator[str]:
        """A row as it left a node, by what is new in it."""
        is_first = not step.parents
        yield self._node("●", step.stage, step.place if is_first else "", step.at)
        if step.note:
            yield self._aside(step.note)
        for question in step.questions:
            yield from map(self._under, self._question(question))
        new = {
            **(step.values if is_first else step.added),
            **{name: change.after for name, change in step.changed.items()},
        }
        yield from map(self._under, self._fields(new, step.questions))
        for name, change in step.changed.items():
            yield self._aside(f"{name} was {_json(change.before)}")
        if step.removed:
            yield self._aside(f"without {', '.join(step.removed)}")

    def again(self, step: Step) -> Iterator[str]:
        """A row that stands above."""
        yield self._node("○", step.stage, "as above", step.at)

    def written(self, told: Explanation) -> Iterator[str]:
        """The record at the end of its way."""
        yield self._node("■", told.sink, f"{told.file}:{told.record}", "", fg="green")
        if told.written is not None:
            yield from self._text(_json(told.written), "    ")

    def spent(self, steps: Iterable[Step]) -> Iterator[str]:
        """What was asked for all of it, and what that took."""
        questions = [question for step in steps for question in step.questions]
        calls = [call for question in questions for call in _calls(question.answer)]
        if calls:
            tokens = amounts.tokens(
                sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls)
            )
            costs = [call.cost for call in calls if call.cost is not None]
            cost = f", {amounts.money(sum(costs))}" if costs else ""
            told = f"{amounts.count(len(calls), 'answer')} behind it, {tokens}{cost}"
            yield f"    {click.style(told, dim=True)}"

    def ending(self, end: Ending) -> Iterator[str]:
        """Where a row's way ended."""
        if end.file is not None:
            yield self._node("■", end.stage, f"{end.file}:{end.record}", end.at, fg="green")
            return
        told = _REASONS.get(end.reason, "written" if end.reason == "written" else "failed")
        colour = "green" if end.reason in ("written", "counted") else "red"
        like = f" of {end.like}" if end.like else ""
        if end.reason == "failed" and end.outcome != "error":
            told = end.outcome.replace("_", " ")
        yield self._node("✗" if colour == "red" else "■", end.stage, told + like, end.at, fg=colour)
        if end.message:
            yield from self._text(end.message, "    ")
        if end.code:
            yield f"    {self._dimmed(end.code, 4)}"
        yield from (f"  {line}" for line in self._fields(end.looked_at))
        for question in end.questions:
            yield from (f"    {line}" for line in self._question(question))
        if end.reply is not None and not end.questions:
            yield from self._labelled("reply", end.reply, "    ")

    def _node(self, sign: str, label: str, what: str, at: str, fg: str | None = None) -> str:
        """``● pairs: ask  what            qa.dpipe:14``"""
        label, what, at = map(console.escape, (label, what, at))
        what = _short(what, self._width - _columns(label) - _columns(at) - 6)
        gap = at and " " * max(1, self._width - 4 - sum(map(_columns, (label, what, at))))
        head = f"{click.style(sign, fg=fg)} {click.style(label, bold=True)}  "
        told = click.style(what, fg=fg) if what else ""
        return f"{head}{told}{gap}{click.style(at, dim=True) if at else ''}"

    def _under(self, line: str) -> str:
        return f"{click.style('│', dim=True)} {line}"

    def _aside(self, text: str) -> str:
        return self._under(f"  {self._dimmed(text, 8)}")

    def _fields(
        self, values: Mapping[str, Any], questions: Sequence[Question] = ()
    ) -> Iterator[str]:
        """Fields by their names; what was just told as the answer is not told twice."""
        answer = questions[0].answer if len(questions) == 1 else None
        longest = max((len(console.escape(name)) for name in values), default=0)
        for name, value in values.items():
            head = f"  {console.escape(name):{longest}}  "
            if answer and answer.outcome == "ok" and answer.value == value:
                yield head + click.style("as answered", dim=True)
            else:
                yield from self._text(_json(value), head)

    # -- questions -------------------------------------------------------------------------------

    def _question(self, question: Question) -> Iterator[str]:
        element = "" if question.element is None else f" (element {question.element})"
        yield f"  prompt {click.style(console.escape(question.prompt), bold=True)}{element}"
        for line in self._messages(question.messages, question.raw):
            yield f"    {line}"
        for line in self._answer(question.answer):
            yield f"  {line}"

    def _messages(self, messages: Iterable[Message], raw: str | None) -> Iterator[str]:
        if raw is not None:
            yield from self._labelled("raw", raw)
        for message in messages:
            yield from self._labelled(message.role, _content(message))

    def _answer(self, answer: Answer) -> Iterator[str]:
        """Who answered what: a model with its calls, a panel with its members."""
        colour = "green" if answer.outcome == "ok" else "yellow"
        who = click.style(console.escape(answer.who), bold=True)
        what = _json(answer.value) if answer.outcome == "ok" else answer.outcome.replace("_", " ")
        if answer.message:
            ok = answer.outcome == "ok"
            what = f"{answer.message}: {what}" if ok else f"{what}: {answer.message}"
        rule = f" {self._dimmed(f'({answer.rule})')}" if answer.rule else ""
        yield f"{who}{rule}"
        lines = chain(
            *(self._attempt(one, at, answer) for at, one in enumerate(answer.attempts)),
            *(self._answer(one) for one in answer.answers),
        )
        for line in lines:
            yield f"  {line}"
        if not (answer.attempts and answer.attempts[-1].outcome == answer.outcome != "ok"):
            yield from self._text(what, "  → ", fg=colour)

    def _attempt(self, attempt: Attempt, at: int, answer: Answer) -> Iterator[str]:
        """One call; the first repeats nothing of its prompt, a later one tells what it added."""
        if at:
            yield click.style("asked again" + (", with" if attempt.added else ""), fg="yellow")
            yield from (f"  {line}" for line in self._messages(attempt.added, None))
        yield self._dimmed(", ".join(_facts(attempt)))
        if attempt.reasoning:
            yield from self._labelled("thought", attempt.reasoning)
        if attempt.reply is not None and not _says(answer, attempt):
            yield from self._labelled("replied", attempt.reply)
        if attempt.outcome != "ok":
            told = attempt.outcome.replace("_", " ")
            yield from self._text(f"{told}: {attempt.message}", "", fg="yellow")

    # -- texts -----------------------------------------------------------------------------------

    def _labelled(self, label: str, text: str, indent: str = "") -> Iterator[str]:
        return self._text(text, f"{indent}{console.escape(label):9} ")

    def _dimmed(self, text: str, indent: int = 4) -> str:
        text = console.escape(text)
        return click.style(text if self.full else _short(text, self._width - indent), dim=True)

    def _text(self, text: str, head: str, fg: str | None = None) -> Iterator[str]:
        """A text behind its head, in lines that are aligned."""
        room = max(20, self._width - _columns(head) - 8)
        lines = (part for line in text.split("\n") for part in _pieces(console.escape(line), room))
        shown = list(lines if self.full else islice(lines, LINES))
        for number, line in enumerate(shown):
            start = head if number == 0 else " " * _columns(head)
            yield f"{start}{click.style(line, fg=fg)}" if line else start.rstrip()
        if any(True for _ in lines):
            left = max(1, len(text) - sum(map(len, shown)))
            told = f"… {amounts.count(left, 'more character')}"
            yield f"{' ' * _columns(head)}{click.style(told, dim=True)}"


def _pieces(line: str, room: int) -> Iterator[str]:
    """A line in pieces of at most so many columns, cut at blanks where that can be."""
    start = 0
    while (end := _end(line, start, room)) < len(line):
        end = line.rfind(" ", start + (end - start) // 2, end + 1) + 1 or end
        yield line[start:end].rstrip()
        start = end
    yield line[start:]


def _end(line: str, start: int, room: int) -> int:
    """How far a line goes from here in so many columns."""
    for at in range(start, len(line)):
        room -= 1 + _is_wide(line[at])
        if room < 0:
            return at
    return len(line)


def _short(text: str, room: int) -> str:
    """A text in at most so many columns."""
    return text if _end(text, 0, room) == len(text) else f"{text[: _end(text, 0, room - 1)]}…"


def _columns(text: str) -> int:
    """How wide a text is on a terminal."""
    return len(text) + (0 if text.isascii() else sum(map(_is_wide, text)))


def _is_wide(char: str) -> bool:
    return east_asian_width(char) in ("W", "F")


def _json(value: Any) -> str:
    """A value on one line; text as it is written in JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _content(message: Message) -> str:
    """A message's text; a picture by what it is."""
    if isinstance(message.content, str):
        return message.content
    parts = (getattr(part, "text", None) for part in message.content)
    return "\n".join("[a picture]" if part is None else part for part in parts)


def _calls(answer: Answer) -> Iterator[Attempt]:
    """All calls behind an answer."""
    yield from answer.attempts
    for member in answer.answers:
        yield from _calls(member)


def _facts(attempt: Attempt) -> Iterator[str]:
    """Where the answer came from, and what it took."""
    when = attempt.at.replace("T", " ").removesuffix("+00:00")
    yield f"asked in this run, {when}" if attempt.fresh else f"from the journal, {when}"
    if attempt.input_tokens or attempt.output_tokens:
        yield amounts.tokens(attempt.input_tokens, attempt.output_tokens)
    if attempt.cost is not None:
        yield amounts.money(attempt.cost)


def _says(answer: Answer, attempt: Attempt) -> bool:
    """Whether a reply says nothing beside what was read from it."""
    if answer.outcome != "ok" or attempt is not answer.attempts[-1]:
        return False
    if attempt.reply == answer.value:
        return True
    try:
        said = json.loads(attempt.reply or "")
    except ValueError:
        return False
    # What is no record was asked for as the only field of one.
    return answer.value in (said, *(said.values() if isinstance(said, dict) else ()))
