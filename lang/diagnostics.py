"""One finding about a program, as a value, and the bag that collects them.

Messages are facts in the user's words: lower case, names in backticks, no parser terminal, no
Python type. How a finding is shown is ``render.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from dpipe.lang.codes import CODES
from dpipe.lang.source import Span

Severity = Literal["error", "warning", "info"]


class Label(Struct, frozen=True):
    """A second place that explains the first: where the cause was declared."""

    span: Span
    message: str


class Edit(Struct, frozen=True):
    """Replace the text of ``span`` by ``text``."""

    span: Span
    text: str


class Fix(Struct, frozen=True):
    """Edits that mend a finding; a safe one keeps the program's meaning."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False


class Diagnostic(Struct, frozen=True):
    """``span`` is the smallest token that is wrong; ``help`` says what to write."""

    code: str
    message: str
    span: Span
    labels: tuple[Label, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()
    suggestions: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return CODES[self.code].severity

    @property
    def name(self) -> str:
        return CODES[self.code].name


class Bag:
    """Collects diagnostics; the same code at the same place is told once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span], Diagnostic] = {}
        self._folded: set[tuple[str, Span]] = set()  # told as parts of others

    def add(
        self,
        code: str,
        span: Span,
        message: str,
        *,
        labels: Iterable[Label] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
        suggestions: Iterable[str] = (),
    ) -> None:
        finding = Diagnostic(
            code, message, span, tuple(labels), help, tuple(fixes), tuple(suggestions)
        )
        self.extend([finding])

    def extend(self, found: Iterable[Diagnostic]) -> None:
        for finding in found:
            if (finding.code, finding.span) not in self._folded:
                self._found.setdefault((finding.code, finding.span), finding)

    def since(self, start: int) -> list[Diagnostic]:
        """What was found after the first so many, in that order."""
        return list(self._found.values())[start:]

    def fold(self, parts: Iterable[Diagnostic], whole: Diagnostic) -> None:
        """Tell several findings as one, which stands where one of them does."""
        for part in parts:
            self._found.pop((part.code, part.span))
            self._folded.add((part.code, part.span))
        self._found[whole.code, whole.span] = whole

    @contextmanager
    def capture(self) -> Iterator[Bag]:
        """What is found meanwhile goes to a bag of its own."""
        kept, inner = self._found, Bag()
        self._found = inner._found
        try:
            yield inner
        finally:
            self._found = kept

    def __iter__(self) -> Iterator[Diagnostic]:
        """By file and place."""
        return iter(sorted(self._found.values(), key=lambda d: (*d.span, d.code)))

    def has(self, code: str, span: Span) -> bool:
        return (code, span) in self._found

    def __len__(self) -> int:
        return len(self._found)

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self._found.values())
