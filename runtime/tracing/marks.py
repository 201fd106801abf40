"""How a traced row says which it is, wherever it goes: its place and its key carry a number.

They are equal to the plain ones, so no stage, and no chance, sees a difference. Every stage hands
a row's place on to what it makes of the row; by that its parents are known again.
"""

from __future__ import annotations

from dpipe.runtime.tracing.lineage import Id
from dpipe.runtime.values import Row

NOWHERE = -1


class Mark(str):
    """A place with its row's number; ``str(mark)`` is the place alone.

    ``ended`` is the node where the row became a reject or a leaver, ``NOWHERE`` of a row.
    """

    __slots__ = ("ended", "id")

    id: Id
    ended: int

    @classmethod
    def of(cls, place: str, id: Id, ended: int = NOWHERE) -> Mark:
        mark = cls(place)
        mark.id = id
        mark.ended = ended
        return mark


class MarkedKey(bytes):
    """A key with its row's number."""

    id: Id

    @classmethod
    def of(cls, key: bytes, id: Id) -> MarkedKey:
        marked = cls(key)
        marked.id = id
        return marked


def marked(row: Row, id: Id, ended: int = NOWHERE) -> Row:
    """The row under its number."""
    return Row(row.values, MarkedKey.of(row.key, id), Mark.of(row.place, id, ended))


def id_of(place: str) -> Id | None:
    """The number of the row that a place is of; None where nobody knows, as of what Python made."""
    return place.id if isinstance(place, Mark) else None
