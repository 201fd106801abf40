"""How JSON records follow one another in a file: as lines, or as the elements of an array."""

from __future__ import annotations

from collections.abc import Sequence

from dpipe.lang import types
from dpipe.runtime.sinks.base import ManyWriter, Out, Writer, encode, encode_lines
from dpipe.runtime.sinks.pictures import Pictures
from dpipe.runtime.values import Values


class Lines(ManyWriter):
    """A record a line; pictures lie in the folder ``images_in`` beside, where it is given."""

    def __init__(self, out: Out, row: types.Record, images_in: str = "") -> None:
        self._out = out
        self._pictures = Pictures(out, images_in, row)

    def put(self, record: Values) -> None:
        self._out.write(encode(self._pictures(record)) + b"\n")

    def put_all(self, records: Sequence[Values]) -> bool:
        """Write the records; False, and nothing is written, where one of them may not fit."""
        data = None if self._pictures else encode_lines(records)
        if data is None:
            return False
        self._out.write(data)
        return True

    def close(self) -> None:
        pass


class Array:
    """One array, an element a line, written as the records come; ``images_in`` as of lines."""

    def __init__(self, out: Out, row: types.Record, images_in: str = "") -> None:
        self._out = out
        self._pictures = Pictures(out, images_in, row)
        self._before = b"[\n"

    def put(self, record: Values) -> None:
        self._out.write(self._before + encode(self._pictures(record)))
        self._before = b",\n"

    def close(self) -> None:
        self._out.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


def by_suffix(out: Out, row: types.Record) -> Writer:
    """An array in a ``.json``, lines in any other file."""
    return Array(out, row) if out.suffix.lower() == ".json" else Lines(out, row)
