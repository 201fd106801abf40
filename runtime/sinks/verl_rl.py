"""Questions with their answers as verl takes them for reinforcement learning: Parquet."""

from __future__ import annotations

from dpipe.lang import types
from dpipe.runtime.sinks.base import Out, text
from dpipe.runtime.sinks.chat import opening
from dpipe.runtime.sinks.extra import extra_fields
from dpipe.runtime.sinks.table_file import TableFile
from dpipe.runtime.values import Values

_REWARD = types.Record((types.Field("style", types.STR), types.Field("ground_truth", types.STR)))
_INDEX = types.Field("index", types.INT)


class VerlRl:
    """``data_source, prompt, ability, reward_model: { style, ground_truth }, extra_info``.

    ``extra_info`` holds the row's ``index`` in the file, from 0, and the fields of ``extra``.
    """

    def __init__(self, out: Out, row: types.Record) -> None:
        extra = extra_fields(row, "verl_rl")
        own = () if any(field.name == "index" for field in extra) else (_INDEX,)
        columns = {
            "data_source": types.STR,
            "prompt": types.List(types.MESSAGE),
            "ability": types.STR,
            "reward_model": _REWARD,
            "extra_info": types.Record((*own, *extra)),
        }
        fields = (types.Field(name, type) for name, type in columns.items())
        self._file = TableFile(out, types.Record(tuple(fields)))
        self._rows = 0

    def put(self, record: Values) -> None:
        values: Values = {
            "data_source": text(record, "data_source"),
            "prompt": opening(record, "prompt"),
            "ability": text(record, "ability"),
            "reward_model": {
                "style": record.get("style") or "rule",
                "ground_truth": text(record, "ground_truth"),
            },
            "extra_info": {"index": self._rows, **(record.get("extra") or {})},
        }
        self._file.put(values)
        self._rows += 1

    def close(self) -> None:
        self._file.close()
