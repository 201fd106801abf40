"""One JSON array, an element a line, written as the records come."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, Writer, encode
from dpipe.runtime.sinks.jsonl import Jsonl
from dpipe.runtime.values import Values


class Json:
    def __init__(self, out: Out, row: types.Record) -> None:
        self._out = out
        self._before = b"[\n"

    def put(self, record: Values) -> None:
        self._out.write(self._before + encode(record))
        self._before = b",\n"

    def close(self) -> None:
        self._out.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


def by_suffix(out: Out, row: types.Record) -> Writer:
    """An array in a ``.json``, lines in any other file."""
    return Json(out, row) if out.suffix.lower() == ".json" else Jsonl(out, row)
