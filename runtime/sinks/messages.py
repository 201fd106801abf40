"""Conversations as OpenAI's chat has them: ``{ messages: [{ role, content }] }``."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, with_extra, with_reasoning
from dpipe.runtime.sinks.chat import answer, opening
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.values import Values


class Messages:
    """System, history, user, assistant, in this order; reasoning leads the last answer."""

    def __init__(self, out: Out, row: types.Record) -> None:
        self._file = by_suffix(out, row)

    def put(self, record: Values) -> None:
        turns = [*opening(record, "user"), answer(with_reasoning(record, "assistant"))]
        self._file.put(with_extra({"messages": turns}, record))

    def close(self) -> None:
        self._file.close()
