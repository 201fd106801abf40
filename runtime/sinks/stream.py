"""Rows that go to the standard output, which has no file to complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dpipe.runtime.errors import UsageError
from dpipe.runtime.sinks.base import ManyWriter, Writer
from dpipe.runtime.values import Values

_STDOUT = 1


class StandardOutput:
    """What the process was given as its output; what is written is gone at once."""

    suffix = ""
    path = Path("/dev/stdout")

    def write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(_STDOUT, data) :]
        except OSError as e:
            reason = (e.strerror or str(e)).lower()
            raise UsageError(f"cannot write to the standard output: {reason}") from e

    def beside(self, name: str, data: bytes) -> None:
        raise UsageError("the standard output has no folder for files beside it")


class Stream:
    """``Output`` for a sink without files: every record is out as soon as it is put."""

    def __init__(self, writer: Callable[[StandardOutput], Writer]) -> None:
        self._writer = writer(StandardOutput())

    def put(self, record: Values, row: Values) -> None:
        """Write a record; raises ``Misfit``, and then nothing is written."""
        self._writer.put(record)

    def put_all(self, records: Sequence[Values]) -> bool:
        """``put`` for many; False, and nothing is written, where each is to be put by itself."""
        return isinstance(self._writer, ManyWriter) and self._writer.put_all(records)

    def flush(self) -> None:
        pass

    def complete(self) -> list[Path]:
        self._writer.close()
        return []

    def abandon(self) -> None:
        pass
