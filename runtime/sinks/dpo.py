"""Preference pairs as TRL has them: conversational, with an explicit prompt.

``{ prompt: [{ role, content }], chosen: [{ role, content }], rejected: [{ role, content }] }``
"""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.sinks.base import Out, text, with_extra
from dpipe.runtime.sinks.chat import answer, opening
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.values import Values


class Dpo:
    """System and history open the prompt; ``margin`` is there where it is given."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._file = by_suffix(out, row)

    def put(self, record: Values) -> None:
        chosen, rejected = text(record, "chosen"), text(record, "rejected")
        if chosen == rejected:
            raise Misfit(".rejected", "it is the same as `chosen`, so neither is preferred")
        values: Values = {
            "prompt": opening(record, "prompt"),
            "chosen": [answer(chosen)],
            "rejected": [answer(rejected)],
        }
        if record.get("margin") is not None:
            values["margin"] = record["margin"]
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()
