"""A folder that the `datasets` library loads: Parquet for each split, and a dataset card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from dpipe.lang import types
from dpipe.runtime.errors import Misfit, UsageError
from dpipe.runtime.fit import field_path, shown
from dpipe.runtime.python import load
from dpipe.runtime.sinks.base import Folder
from dpipe.runtime.sinks.card import card
from dpipe.runtime.sinks.table_file import TableFile
from dpipe.runtime.values import Values

_NAME = re.compile(r"\w+(\.\w+)*")
_ALL = "train"
_CARD = "README.md"


class HfDataset:
    """The whole row, in ``data/train.parquet`` or the file of its split; the card comes last.

    ``split`` is the field whose value is a row's split; it is no column. A split without rows
    has no file, for the library loads no dataset that has such a one.
    """

    FOLDER: ClassVar = True

    def __init__(
        self,
        out: Folder,
        row: types.Record,
        split: str = "",
        license: str = "",
        language: tuple[str, ...] | list[str] = (),
        push: str = "",
        private: bool = True,
    ) -> None:
        if split and row.get(split) is None:
            raise UsageError(f'`split: "{split}"` is no field of the row')
        self._hub = load("dpipe.runtime.sinks.hub:Hub")(push, private) if push else None
        self._out = out
        self._field = split
        self._row = row.without([split])
        self._license, self._language = license, list(language)
        self._files: dict[str, TableFile] = {}
        self._rows = dict.fromkeys(_known(row.get(split)) if split else (_ALL,), 0)

    @staticmethod
    def file_of(row: Values, split: str = "", **options: Any) -> str:
        """Where in the folder a row that was written is."""
        return _path(row[split] if split else _ALL)

    def put(self, record: Values) -> None:
        name = record.get(self._field) if self._field else _ALL
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Misfit(field_path(self._field), f"expected a split's name, found {shown(name)}")
        if name not in self._files:
            self._files[name] = TableFile(self._out.file(_path(name)), self._row)
        self._files[name].put(record)
        self._rows[name] = self._rows.get(name, 0) + 1

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        paths = {name: _path(name) for name, rows in self._rows.items() if rows}
        text = card(self._out.name, self._row, self._rows, paths, self._license, self._language)
        self._out.file(_CARD).write(text.encode())

    def publish(self, folder: Path) -> None:
        """Put the complete files on the hub, where that is asked for; takes its time."""
        if self._hub:
            self._hub.push(folder, [_CARD, *map(_path, self._files)])


def _path(split: str) -> str:
    return f"data/{split}.parquet"


def _known(of: types.Type | None) -> tuple[str, ...]:
    """The splits that the card names even without rows."""
    return of.values if isinstance(of, types.Enum) else ()
