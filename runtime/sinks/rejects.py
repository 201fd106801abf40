"""The rows that could not go on, beside the output that they were bound for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.sinks.base import Out, encode
from dpipe.runtime.sinks.files import Output, partial_of, remove
from dpipe.runtime.sinks.layout import Lines
from dpipe.runtime.values import Reject, Values

_DEPTH = 100


class Rejects:
    """Writes one sink's rejects, a line each; there is no file when there are none.

    ``at`` is where they lie: beside, until they are complete.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = partial_of(path)
        self._output: Output | None = None

    def put(self, reject: Reject) -> None:
        if self._output is None:
            self._output = Output(_Lines, lambda _: self.path)
        self._output.put(msgspec.structs.asdict(reject), {})

    def flush(self) -> None:
        if self._output:
            self._output.flush()

    def complete(self) -> None:
        """Give the file its name, or remove an earlier run's when there is nothing to tell."""
        if self._output:
            self._output.complete()
        else:
            remove(self.path)
        self.at = self.path

    def finish(self) -> None:
        """Let the partial file be complete; what an earlier run wrote stays."""
        if self._output:
            self._output.finish()

    def abandon(self) -> None:
        if self._output:
            self._output.abandon()


class _Lines:
    """JSON lines of whatever a row holds: what JSON cannot hold is described."""

    def __init__(self, out: Out) -> None:
        self._lines = Lines(out, types.Record())

    def put(self, record: Values) -> None:
        try:
            encode(record)
        except Misfit:
            record = _plain(record)
        self._lines.put(record)

    def close(self) -> None:
        self._lines.close()


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1) for part in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    try:
        encode(value)
    except Misfit:
        return str(value) if isinstance(value, float) else f"a Python {type(value).__name__}"
    return value


def rejects_paths(files: Mapping[str, Path], folders: Mapping[str, Path]) -> dict[str, Path]:
    """Where each sink's rejects go, by the sinks' names.

    ``files`` are the sinks of one file: ``out/a.jsonl`` has ``out/a.rejects.jsonl``; ``folders``
    those with a partitioned path, by the folder before its first placeholder: the file there is
    ``<sink>.rejects.jsonl``. Files that differ in their suffix alone keep it, to stay apart.
    """
    places = {sink: path.with_name(f"{path.stem}.rejects.jsonl") for sink, path in files.items()}
    places |= {sink: folder / f"{sink}.rejects.jsonl" for sink, folder in folders.items()}
    taken = Counter(places.values())
    for sink, path in files.items():
        if taken[places[sink]] > 1:
            places[sink] = path.with_name(f"{path.name}.rejects.jsonl")
    return places
