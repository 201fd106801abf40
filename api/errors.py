"""What can be wrong with a program as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpipe.runtime.errors import UsageError

if TYPE_CHECKING:
    from dpipe.checking import CheckResult


class ProgramError(UsageError):
    """A program that cannot run; ``result`` has the findings."""

    def __init__(self, result: CheckResult) -> None:
        count = len(result.errors)
        super().__init__(f"the program has {count} error{'s' * (count != 1)}")
        self.result = result

    def __str__(self) -> str:
        return f"{self.message}\n\n{self.result}"
