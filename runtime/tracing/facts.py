"""What is told of a row: where it came from, what each stage did, who was asked what.

These are published (``docs/schemas``); ``dpipe explain --json`` prints an ``Explanation`` or a
``Fate``.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dpipe.runtime.models.protocol import Message


class RunFacts(Struct, frozen=True):
    """The run that is explained; ``began`` is its time by ISO 8601, ``status`` how it ended."""

    id: str
    program: str
    began: str
    status: str


class Attempt(Struct, frozen=True):
    """One call: what came back.

    ``added`` are the messages that were sent behind those of the question, as where an answer was
    to be corrected. ``reply`` is the raw text, None where none came. ``cost`` is in USD, None
    without a price. ``at`` is when it was answered; it was ``fresh`` if the run itself made the
    call, else the answer lay in the journal.
    """

    added: tuple[Message, ...]
    outcome: str
    message: str
    reply: str | None
    reasoning: str | None
    finish: str | None
    input_tokens: int
    output_tokens: int
    cost: float | None
    at: str
    fresh: bool


class Answer(Struct, frozen=True):
    """What a model, or all of a panel, answered.

    ``who`` is the model's name or the kind of panel (all, poll, vote, cascade, fallback), ``rule``
    how a panel decides. ``outcome`` is ``ok``, ``out-voted``, or how it failed; ``message`` says
    why, or that a cascade did not accept it.
    A panel has ``answers``, in the order in which they were asked for; a model has ``attempts``.
    """

    who: str
    outcome: str
    value: Any = None
    message: str = ""
    rule: str = ""
    options: dict[str, Any] = {}
    attempts: tuple[Attempt, ...] = ()
    answers: tuple[Answer, ...] = ()


class Question(Struct, frozen=True):
    """A prompt, as it was put for a row: as ``messages``, or ``raw``.

    ``element`` counts those of ``over:``, from 0.
    """

    prompt: str
    messages: tuple[Message, ...]
    raw: str | None
    answer: Answer
    element: int | None = None


class Change(Struct, frozen=True):
    """A field that a stage replaced."""

    before: Any
    after: Any


class Step(Struct, frozen=True):
    """A row as it left a node; ``id`` tells it from the others, ``parents`` it came of.

    ``values`` are the whole row; ``added``, ``changed`` and ``removed`` what is new against its
    first parent that is told. ``at`` is the node's place in the program, ``place`` the row's in
    its source.
    """

    id: int
    stage: str
    at: str
    place: str
    parents: tuple[int, ...]
    values: dict[str, Any]
    added: dict[str, Any] = {}
    changed: dict[str, Change] = {}
    removed: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    note: str = ""


class Ending(Struct, frozen=True):
    """Where a row's way ended: ``row`` is the ``id`` of its last ``Step``.

    ``reason`` is one of the ledger's words, ``failed`` with an ``outcome`` and a ``message``, or
    ``written`` in record ``record`` of ``file``. ``looked_at`` are the values that a test read,
    ``like`` the place of the row that a duplicate is like.
    """

    row: int
    stage: str
    at: str
    reason: str
    outcome: str = ""
    message: str = ""
    reply: str | None = None
    code: str = ""
    looked_at: dict[str, Any] = {}
    like: str | None = None
    file: str | None = None
    record: int | None = None
    questions: tuple[Question, ...] = ()


class Explanation(Struct, frozen=True, tag="record", tag_field="type"):
    """How a record came to be: its ``steps``, those before others that came of them.

    ``written`` is the record as it stands in ``file``. For a record of a rejects file ``ending``
    tells where the row ended. ``notes`` are what the reader has to know of the answer itself.
    """

    run: RunFacts
    file: str
    record: int
    sink: str
    written: Any
    steps: tuple[Step, ...]
    ending: Ending | None = None
    notes: tuple[str, ...] = ()


class Fate(Struct, frozen=True, tag="input", tag_field="type"):
    """What became of rows of a source: all that came of them, and where each way ended."""

    run: RunFacts
    place: str
    steps: tuple[Step, ...]
    endings: tuple[Ending, ...]
    notes: tuple[str, ...] = ()
