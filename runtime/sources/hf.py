"""Datasets of the Hugging Face hub, and folders that the `datasets` library reads.

Rows are streamed: nothing is copied into the library's cache, and of a dataset on the hub only
what is read is fetched, anew in each run.
"""

from __future__ import annotations

import datasets

from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display
from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.streaming import be_quiet, line_of, streamed


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


def _may_be_on_hub(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith(("/", ".")) and not name.endswith("/")


def _unusable(name: str, error: Exception, context: Context, *, local: bool) -> UsageError:
    if local:
        return UsageError(f"cannot read the dataset in `{name}`: {line_of(error)}", code="P0002")
    hint = f"there is no folder `{name}` in {context.base} either"
    return UsageError(
        f"cannot read the dataset `{name}`: {line_of(error)}", code="P0001", hint=hint
    )
