"""Datasets of the Hugging Face hub, and folders that the `datasets` library reads.

Rows are streamed: nothing is copied into the library's cache, and of a dataset on the hub only
what is read is fetched, anew in each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub

from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display
from dpipe.runtime.sources.base import BATCH, Context, Read, Reading, Unreadable, batched
from dpipe.runtime.sources.tables import records

_ONLY_CRITICAL = 50


def read(
    name: str,
    split: str = "train",
    config: str = "",
    revision: str = "",
    folder: str = "",
    *,
    context: Context,
) -> Reading:
    """The rows of one split: of a folder, where there is one of that name, else of the hub.

    A folder holds Parquet, JSON lines or CSV files, or what ``save_to_disk`` wrote; ``folder``
    is the part of the dataset to read. Raises ``UsageError`` where there is no such dataset,
    split or config, or the hub cannot be reached.
    """
    be_quiet()
    place = context.base / name
    local = place.is_dir()
    if not local and not _may_be_on_hub(name):
        raise UsageError(f"there is no folder `{name}` in {context.base}", code="P0001")
    try:
        builder = datasets.load_dataset_builder(
            str(place) if local else name,
            config or None,
            revision=revision or None,
            data_dir=folder or None,
        )
        rows = builder.as_streaming_dataset(split).with_format("arrow")
    except Exception as e:  # of whatever kind the library and its network make
        raise _unusable(name, e, context, local=local) from None
    files = sorted(file for file in place.rglob("*") if file.is_file()) if local else ()
    shown = f"{display(place, context.project) if local else name}/{split}"
    return streamed(rows, shown, files)


def be_quiet() -> None:
    """Rows and progress are dpipe's to tell, and nothing else may write to the terminal."""
    datasets.disable_progress_bars()
    for library in (datasets, huggingface_hub):
        library.logging.set_verbosity(_ONLY_CRITICAL)


def streamed(rows: Any, name: str, files: Sequence[Path] = ()) -> Reading:
    """The rows of a streaming dataset in Arrow's format, as ``name[place]``."""
    return Reading(files, lambda: batched(_records(rows, name)))


def _may_be_on_hub(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith(("/", ".")) and not name.endswith("/")


def _unusable(name: str, error: Exception, context: Context, *, local: bool) -> UsageError:
    if local:
        return UsageError(f"cannot read the dataset in `{name}`: {line_of(error)}", code="P0002")
    hint = f"there is no folder `{name}` in {context.base} either"
    return UsageError(
        f"cannot read the dataset `{name}`: {line_of(error)}", code="P0001", hint=hint
    )


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
