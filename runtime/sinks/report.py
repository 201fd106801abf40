"""Figures about the rows: one JSON object, for people to read."""

from __future__ import annotations

import msgspec

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, encode
from dpipe.runtime.values import Values


class Report:
    """Is given one record, when all rows are counted; without it the object is empty."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out
        self._figures: Values = {}

    def put(self, record: Values) -> None:
        encode(record)
        self._figures = record

    def close(self) -> None:
        self._out.write(msgspec.json.format(encode(self._figures), indent=2) + b"\n")
