"""A key that can be sent and never shown."""

from __future__ import annotations

SHOWN = "***"


class Secret:
    """A key and the name of the variable that held it.

    However it is turned into text it reads ``***``, a pickle included; only ``reveal`` gives the
    key. JSON encoders do not know it: give them ``str`` for what they do not know.
    """

    __slots__ = ("_key", "name")

    def __init__(self, key: str, name: str) -> None:
        self._key = key
        self.name = name

    def reveal(self) -> str:
        """The key itself: for the header of a request and nothing else."""
        return self._key

    def __str__(self) -> str:
        return SHOWN

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __reduce__(self) -> tuple[type[Secret], tuple[str, str]]:
        return Secret, (SHOWN, self.name)
