"""What can go wrong, by who must act.

Three roads: a row that cannot go on is a *value* (``values.Reject``); what a user must mend
before or during a run is a ``UsageError``; a busy provider is ``models.protocol.Unavailable``.
Anything else that is raised is a bug.
"""

from __future__ import annotations


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
