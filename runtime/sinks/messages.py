"""Conversations as OpenAI's chat has them: ``{ messages: [{ role, content }] }``."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, with_extra, with_reasoning
from dpipe.runtime.sinks.chat import answer, opening
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.sinks.pictures import Pictures
from dpipe.runtime.values import Values


class Messages:
    """System, history, user, assistant, in this order; reasoning leads the last answer."""

    def __init__(self, out: Out, row: types.Record, images_in: str = "") -> None:
        self._file = by_suffix(out, row)
        self._pictures = Pictures(out, images_in, row)

    def put(self, record: Values) -> None:
        record = self._pictures(record)
        turns = [*opening(record, "user"), answer(with_reasoning(record, "assistant"))]
        values: Values = {"messages": turns}
        if record.get("images"):
            values["images"] = record["images"]
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()
