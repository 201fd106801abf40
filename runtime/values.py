"""Rows, and what travels among them.

A batch is a list of items in source order. Only rows are worked on: every stage passes the other
items by, in their places. A reject is made where a row ends and travels on to the first sink that
the row was bound for; a leaver is a row that has left a loop before its last round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from msgspec import Struct

Values: TypeAlias = dict[str, Any]

Outcome = Literal[
    "ok",
    "truncated",
    "malformed",
    "invalid",
    "empty",
    "refused",
    "filtered",
    "rejected_request",
    "unavailable",
]
"""How a reply ends; only ``ok`` becomes a value."""


class Row(Struct, eq=False):
    """One row: its values, its identity, and the place that it came from.

    ``key`` (16 bytes) tells the row from others whatever its position: the source record, then
    the index at each unnest and chunk. ``place`` is ``file:line`` or the like, for people.
    ``values`` is never changed in place: a stage makes a new dict, for flows are shared.
    A row that is given no key has that of its ``record``, worked out when it is asked for.
    """

    values: Values
    _key: bytes | None
    place: str
    _record: bytes | str = b""

    @property
    def key(self) -> bytes:
        if self._key is None:
            self._key = key_of(self._record)
        return self._key

    def with_values(self, values: Values) -> Row:
        return Row(values, self._key, self.place, self._record)

    def child(self, values: Values, index: int) -> Row:
        """The row made of this one's ``index``-th element or piece."""
        return Row(values, key_of(self.key, str(index)), self.place)

    def __repr__(self) -> str:
        return f"Row({self.values!r} from {self.place})"


class Reject(Struct, frozen=True):
    """A row that could not go on. ``reply`` is the raw text of the answer that ended it, if any.

    ``outcome`` is an ``Outcome`` of a model's reply, or ``error`` (an expression without a
    value, a record that cannot be read, a value that does not fit).
    """

    stage: str
    outcome: str
    message: str
    place: str
    row: Mapping[str, Any]
    reply: str | None = None


class Leaver(Struct, frozen=True):
    """A row on its way to the end of a loop; ``loop`` counts the loops around, itself included."""

    row: Row
    loop: int


class Skipped(Struct, frozen=True):
    """An input that the program wants left out; its source counts it, and nobody else sees it."""

    place: str


Passing: TypeAlias = Reject | Leaver
"""What is not worked on."""

Item: TypeAlias = Row | Passing
Batch: TypeAlias = list[Item]
Given: TypeAlias = Sequence[Item | Skipped]
"""What a source gives."""


def key_of(*parts: bytes | str) -> bytes:
    """Sixteen bytes that stand for the parts: equal parts in equal order, equal key."""
    return digest(framed(*parts))


def framed(*parts: bytes | str) -> bytes:
    """The parts behind each other, each behind its length, so that none runs into the next."""
    data: list[bytes] = []
    for part in parts:
        plain = part.encode("utf-8", "surrogatepass") if part.__class__ is str else part
        data += (len(plain).to_bytes(8, "little"), plain)  # type: ignore[arg-type]
    return b"".join(data)


def digest(data: bytes) -> bytes:
    """Sixteen bytes that stand for the data; of ``framed`` parts they are ``key_of`` them."""
    return blake2b(data, digest_size=16).digest()


def chance(*parts: bytes | str) -> float:
    """A number in [0, 1) that hangs on the parts alone."""
    return int.from_bytes(key_of(*parts)[:8], "big") / 2**64
