"""What a sink's writer is: made for one file, given one record at a time.

A writer is called with the file, the type of what it is given, and the options of the sink's
declaration by their labels (words of Python with an underscore behind, as for sources)::

    class Jsonl:
        def __init__(self, out: Out, row: types.Record) -> None
        def put(self, record: dict) -> None     # raises Misfit; then nothing of it is written
        def close(self) -> None                 # the end of the file, as `]`

One whose class has ``FOLDER = True`` is called with a ``Folder`` and names its files itself; its
``file_of(row, **options)`` tells in which of them a row is.
It writes all of a record at once or nothing; opening, naming and finishing files is
``sinks/files.py``'s business. Its bytes hang on the records alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import field_path, fit, shown
from dpipe.runtime.values import Values


class Out(Protocol):
    """The file that a writer writes; ``suffix`` is its name's, as ``.json``."""

    @property
    def suffix(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    def beside(self, name: str, data: bytes) -> None:
        """Write another file, whole, at a place relative to this one's folder."""


class Folder(Protocol):
    """The folder that a writer writes; ``name`` is its own."""

    @property
    def name(self) -> str: ...

    def file(self, name: str) -> Out: ...


class Writer(Protocol):
    def put(self, record: Values) -> None: ...

    def close(self) -> None: ...


class ManyWriter(ABC):
    """A writer that may take many records at once; a method of that name alone is no promise."""

    @abstractmethod
    def put_all(self, records: Sequence[Values]) -> bool:
        """Write them all; False, and nothing is written, where each is to be put by itself."""


_encoder = msgspec.json.Encoder()
_encode = _encoder.encode


def encode(value: Any) -> bytes:
    """A value as compact UTF-8 JSON, keys in their order; raises ``Misfit``.

    NaN would read as null, so a record that has a null is looked through.
    """
    try:
        data = _encode(value)
    except (TypeError, ValueError, RecursionError):
        raise _why(value) from None
    if b"null" in data:
        fit(value, types.JSON)
    return data


def encode_lines(records: Sequence[Values]) -> bytes | None:
    """Each record as ``encode`` gives it, and a line end; None where one is to be looked at."""
    try:
        data = _encoder.encode_lines(records)
    except (TypeError, ValueError, RecursionError):
        return None
    return None if b"null" in data else data


def _why(value: Any) -> Misfit:
    try:
        fit(value, types.JSON)
    except Misfit as wrong:
        return wrong
    return Misfit("", "nested too deeply to be written")


def text(record: Mapping[str, Any], name: str) -> str:
    """A field that must hold text; raises ``Misfit``, for a blank row is never written."""
    value = record.get(name)
    if not isinstance(value, str):
        raise Misfit(field_path(name), f"expected str, found {shown(value)}")
    if not value.strip():
        raise Misfit(field_path(name), "expected text, found a blank")
    return value


def with_reasoning(record: Mapping[str, Any], name: str) -> str:
    """The answer in field ``name``, behind what the model thought, if there is any."""
    answer, reasoning = text(record, name), record.get("reasoning")
    return f"<think>\n{reasoning.strip()}\n</think>\n\n{answer}" if reasoning else answer


def with_extra(values: Values, record: Mapping[str, Any]) -> Values:
    """The format's own fields, then those of ``extra``; raises ``Misfit`` where they meet."""
    extra = record.get("extra")
    if extra is None:
        return values
    if not isinstance(extra, dict):
        raise Misfit(".extra", f"expected a record, found {shown(extra)}")
    for name in extra:
        if name in values:
            raise Misfit(f".extra{field_path(name)}", f"the format has a field `{name}` itself")
    return values | extra
