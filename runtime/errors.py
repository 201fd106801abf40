"""What can go wrong, by who must act.

Three roads: a row that cannot go on is a *value* (``values.Reject``); what a user must mend
before or during a run is a ``UsageError``; a busy provider is ``models.protocol.Unavailable``.
Anything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class DpipeError(Exception):
    """A failure told in one line, never with a traceback; ``exit_code`` is the run's."""

    exit_code = 3


class UsageError(DpipeError):
    """A setting, file or endpoint that the user must mend: fact, place, way out."""

    exit_code = 2

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class Several(UsageError):
    """More than one thing to mend; the first stands for all where only one can be told."""

    def __init__(self, errors: Sequence[UsageError]) -> None:
        super().__init__(errors[0].message, code=errors[0].code, hint=errors[0].hint)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(error.message for error in self.errors)


class Mishaps:
    """What the user must mend, gathered so that it is told in one go."""

    def __init__(self) -> None:
        self._found: dict[str, UsageError] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """What is raised meanwhile is kept; what the rest would have given is not there."""
        try:
            yield
        except UsageError as error:
            for each in error.errors if isinstance(error, Several) else (error,):
                self._found.setdefault(each.message, each)

    def tell(self) -> None:
        """Raise what was noted, if anything was."""
        errors = [*self._found.values()]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise Several(errors)


class EndpointRefused(UsageError):
    """An endpoint that will answer nobody: a wrong key, a model that it does not have."""


class NoSuchModel(EndpointRefused):
    """An endpoint has not got the model that it is asked for."""


class NoValue(Exception):
    """An expression without a value on this row (division by zero, first of an empty list)."""


class CallFails(NoValue):
    """What a test answers is that the call fails, with this outcome."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Misfit(ValueError):
    """A value that does not fit its type; ``path`` names the part that is wrong: ``[0].score``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message
