"""What a flow is once it is worked out."""

from __future__ import annotations

from msgspec import Struct

from dpipe.lang.source import Span
from dpipe.lang.types import OPEN_ROW, Record

NOWHERE = -1


class Rows(Struct, frozen=True):
    """A flow that is worked out: its last node and its row. ``node`` is -1 after a mistake."""

    node: int
    row: Record


class RowAt(Struct, frozen=True):
    """The row after a stage, for ``check --types``, hover and golden tests."""

    span: Span
    flow: str
    stage: str
    row: Record


LOST = Rows(NOWHERE, OPEN_ROW)
