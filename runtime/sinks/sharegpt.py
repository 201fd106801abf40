"""Conversations as ShareGPT has them: ``{ conversations: [{ from, value }] }``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, text, with_extra, with_reasoning
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.values import Values

_SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system"}


class ShareGpt:
    """History, human, gpt, in this order; ``system`` stands beside; reasoning leads the answer."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._file = by_suffix(out, row)

    def put(self, record: Values) -> None:
        turns = [
            *map(_turn, record.get("history") or ()),
            {"from": "human", "value": text(record, "human")},
            {"from": "gpt", "value": with_reasoning(record, "gpt")},
        ]
        values: Values = {"conversations": turns}
        if record.get("system"):
            values["system"] = record["system"]
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()


def _turn(message: Mapping[str, Any]) -> Values:
    return {"from": _SPEAKERS[message["role"]], "value": message["content"]}
