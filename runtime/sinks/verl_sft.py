"""Conversations as verl takes them for supervised fine-tuning: Parquet with ``messages``."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, with_extra, with_reasoning
from dpipe.runtime.sinks.chat import answer, opening
from dpipe.runtime.sinks.extra import extra_fields
from dpipe.runtime.sinks.table_file import TableFile
from dpipe.runtime.values import Values


class VerlSft:
    """System, history, user, assistant, in this order; ``extra`` gives further columns."""

    def __init__(self, out: Out, row: types.Record) -> None:
        messages = types.Field("messages", types.List(types.MESSAGE))
        self._file = TableFile(out, types.Record((messages, *extra_fields(row, "verl_sft"))))

    def put(self, record: Values) -> None:
        turns = [*opening(record, "user"), answer(with_reasoning(record, "assistant"))]
        self._file.put(with_extra({"messages": turns}, record))

    def close(self) -> None:
        self._file.close()
