"""JSON lines: a record a line."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, encode
from dpipe.runtime.values import Values


class Jsonl:
    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out

    def put(self, record: Values) -> None:
        self._out.write(encode(record) + b"\n")

    def close(self) -> None:
        pass
