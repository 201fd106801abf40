"""Conversations as ShareGPT has them: ``{ conversations: [{ from, value }] }``."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.errors import UsageError
from dpipe.runtime.sinks.base import Out, text, with_extra, with_reasoning
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.sinks.pictures import Pictures
from dpipe.runtime.values import Values


class ShareGpt:
    """History, human, gpt, in this order; ``system`` stands beside; reasoning leads the answer.

    The turns are in ``column``; the tags say what a turn's parts and its speakers are called.
    """

    def __init__(
        self,
        out: Out,
        row: types.Record,
        images_in: str = "",
        column: str = "conversations",
        role_tag: str = "from",
        content_tag: str = "value",
        user_tag: str = "human",
        assistant_tag: str = "gpt",
        system_tag: str = "system",
    ) -> None:
        if "" in (column, role_tag, content_tag) or role_tag == content_tag:
            raise UsageError("`column:` and the tags of a turn's parts need names of their own")
        self._file = by_suffix(out, row)
        self._pictures = Pictures(out, images_in, row)
        self._column, self._role, self._content = column, role_tag, content_tag
        self._speakers = {
            "user": user_tag,
            "assistant": assistant_tag,
            "system": system_tag,
            "tool": "observation",
        }

    def put(self, record: Values) -> None:
        record = self._pictures(record)
        turns = [
            *(self._turn(each["role"], each["content"]) for each in record.get("history") or ()),
            self._turn("user", text(record, "human")),
            self._turn("assistant", with_reasoning(record, "gpt")),
        ]
        values: Values = {self._column: turns}
        if record.get("system"):
            values["system"] = record["system"]
        if record.get("images"):
            values["images"] = record["images"]
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()

    def _turn(self, role: str, content: str) -> Values:
        return {self._role: self._speakers[role], self._content: content}
