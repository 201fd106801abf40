"""What is told about a journal, for people and as JSON. Bytes are those that lie in the file."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from dpipe.runtime.models.protocol import Usage


class Report(Struct, frozen=True, kw_only=True, tag_field="type"):
    """``journal`` is the file."""

    journal: str


class Share(Struct, frozen=True):
    """The answers of one model or to one prompt; ``failed`` of them hold no usable reply."""

    name: str
    answers: int
    failed: int
    bytes: int


class Spent(Struct, frozen=True):
    """What the runs on record did: calls, their USD where it is known, and the answers that came
    from the journal. ``saved`` is what these would have cost at the mean of each run's calls."""

    runs: int
    calls: int
    recalled: int
    cost: float
    saved: float


class Info(Report, frozen=True, kw_only=True, tag="info"):
    """What is in a journal. An answer may have taken several attempts; ``got_over`` are failures
    in spite of which a row went on. Times are seconds since 1970.

    ``unused`` are answers and vectors that the last runs did not use; None where that is not known.
    """

    format: int
    bytes: int
    answers: int
    attempts: int
    got_over: int
    vectors: int
    oldest: float | None
    newest: float | None
    unused: int | None
    outcomes: dict[str, int]
    models: tuple[Share, ...]
    prompts: tuple[Share, ...]
    spent: Spent


class Answer(Struct, frozen=True):
    """An answer in a line: its last attempt, and how the reply begins."""

    key: str
    at: float
    model: str
    prompt: str
    program: str
    outcome: str
    attempts: int
    bytes: int
    begins: str


class Listing(Report, frozen=True, kw_only=True, tag="list"):
    """The newest first; ``of`` is how many there are to choose from."""

    answers: tuple[Answer, ...]
    of: int


class Attempt(Struct, frozen=True):
    """One reply, or why none came. ``run`` is the id of the run that asked."""

    attempt: int
    at: float
    run: str
    outcome: str
    message: str
    max_tokens: int | None
    text: str | None
    finish: str | None
    refusal: str | None
    reasoning: str | None
    usage: Usage | None


class Shown(Report, frozen=True, kw_only=True, tag="show"):
    """One answer with all that is known of it."""

    key: str
    model: str
    prompt: str
    program: str
    attempts: tuple[Attempt, ...]


class Pruned(Report, frozen=True, kw_only=True, tag="prune"):
    """What went, or with ``dry_run`` would go; ``left`` is how large the file is then."""

    dry_run: bool
    answers: int
    vectors: int
    bytes: int
    left: int


class Damage(Struct, frozen=True):
    """An entry whose checksum is wrong; ``kind`` is ``answer`` or ``vector``."""

    kind: str
    key: str


class Checked(Report, frozen=True, kw_only=True, tag="check"):
    """How many entries are whole, and what is not. ``faults`` are of the file, not of an entry.

    ``kept_as`` is where the damaged file lies now that the journal was repaired.
    """

    attempts: int
    vectors: int
    damaged: tuple[Damage, ...]
    faults: tuple[str, ...]
    kept_as: str | None = None

    @property
    def is_whole(self) -> bool:
        return not (self.damaged or self.faults)


class Exported(Report, frozen=True, kw_only=True, tag="export"):
    path: str
    answers: int
    vectors: int
    bytes: int


class BadLine(Struct, frozen=True):
    line: int
    why: str


class Imported(Report, frozen=True, kw_only=True, tag="import"):
    """``known`` entries were there already; ``damaged`` lines were left out."""

    path: str
    answers: int
    vectors: int
    known: int
    damaged: tuple[BadLine, ...]


AnyReport: TypeAlias = Info | Listing | Shown | Pruned | Checked | Exported | Imported
