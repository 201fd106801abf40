"""Instruction tuning as Alpaca has it: ``instruction``, ``input``, ``output``."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, text, with_extra, with_reasoning
from dpipe.runtime.sinks.layout import by_suffix
from dpipe.runtime.sinks.pictures import Pictures
from dpipe.runtime.values import Values


class Alpaca:
    """``input`` is there always, ``system`` where it is given; reasoning leads the output."""

    def __init__(self, out: Out, row: types.Record, images_in: str = "") -> None:
        self._file = by_suffix(out, row)
        self._pictures = Pictures(out, images_in, row)

    def put(self, record: Values) -> None:
        record = self._pictures(record)
        values: Values = {
            "instruction": text(record, "instruction"),
            "input": record.get("input") or "",
            "output": with_reasoning(record, "output"),
        }
        if record.get("system"):
            values["system"] = record["system"]
        if record.get("images"):
            values["images"] = record["images"]
        self._file.put(with_extra(values, record))

    def close(self) -> None:
        self._file.close()
