"""Answers that are wanted or not, as TRL has them for KTO: conversational.

``{ prompt: [{ role, content }], completion: [{ role, content }], label: bool }``
"""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import shown
from dpipe.runtime.sinks.base import Out, text, with_extra
from dpipe.runtime.sinks.chat import answer, opening
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.values import Values


class Kto:
    """System and history open the prompt; ``label`` tells whether the completion is wanted."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._file = by_suffix(out, row)

    def put(self, record: Values) -> None:
        label = record.get("label")
        if not isinstance(label, bool):
            raise Misfit(".label", f"expected bool, found {shown(label)}")
        values: Values = {
            "prompt": opening(record, "prompt"),
            "completion": [answer(text(record, "completion"))],
            "label": label,
        }
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()
