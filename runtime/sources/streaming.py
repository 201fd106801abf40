"""Streaming datasets of the `datasets` library: what readers of hubs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub

from dpipe.runtime.sources.base import BATCH, Read, Reading, Unreadable, batched
from dpipe.runtime.sources.tables import records

_ONLY_CRITICAL = 50


def be_quiet() -> None:
    """Rows and progress are dpipe's to tell, and nothing else may write to the terminal."""
    datasets.disable_progress_bars()
    for library in (datasets, huggingface_hub):
        library.logging.set_verbosity(_ONLY_CRITICAL)


def streamed(rows: Any, name: str, files: Sequence[Path] = ()) -> Reading:
    """The rows of a streaming dataset in Arrow's format, as ``name[place]``."""
    return Reading(files, lambda: batched(_records(rows, name)))


def line_of(error: Exception) -> str:
    """What a library says of its failure, in one line."""
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0]
    name = not line.partition(" ")[0][1:].islower()
    return line if name else line[:1].lower() + line[1:]


def _records(rows: Any, name: str) -> Iterator[Read]:
    done = 0
    try:
        for table in rows.iter(BATCH):
            for batch in table.to_batches():
                yield from records(batch, name, done)
                done += batch.num_rows
    except Exception as e:  # of whatever kind the library makes of a damaged file or a lost line
        yield Unreadable(f"{name}[{done}]", f"cannot be read from here on: {line_of(e)}")
