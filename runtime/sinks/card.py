"""The card of a dataset: what the hub and its readers are told of it, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dpipe.lang import types

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")


def card(
    title: str,
    row: types.Record,
    splits: Mapping[str, int],
    files: Mapping[str, str],
    license: str,
    language: Sequence[str],
) -> str:
    """The text of ``README.md``: ``splits`` are the rows of each, ``files`` where they lie."""
    lines = [
        "---",
        *([f"license: {_quoted(license)}"] if license else []),
        *_list("language", language),
        *_list("size_categories", [_size(sum(splits.values()))]),
        *_list("tags", ["dpipe"]),
        *_config(files),
        "---",
        "",
        f"# {title}",
        "",
        *_table(("split", "rows"), ((name, str(rows)) for name, rows in splits.items())),
        "",
        *_table(("column", "type", "description"), map(_column, row.fields)),
        "",
        "Made with dpipe.",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as YAML has it, which takes JSON's."""
    return msgspec.json.encode(text).decode()


def _list(name: str, values: Sequence[str]) -> Iterator[str]:
    if values:
        yield f"{name}:"
        yield from (f"- {_quoted(value)}" for value in values)


def _size(rows: int) -> str:
    digits = len(str(rows))
    return _SIZES[min(max(digits - 3, 0), len(_SIZES) - 1)]


def _config(files: Mapping[str, str]) -> Iterator[str]:
    if not files:
        return
    yield from ("configs:", "- config_name: default", "  data_files:")
    for split, path in files.items():
        yield from (f"  - split: {_quoted(split)}", f"    path: {_quoted(path)}")


def _column(field: types.Field) -> tuple[str, ...]:
    return f"`{field.name}`", f"`{types.show_short(field.type)}`", field.description or ""


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        told = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
        yield f"| {' | '.join(told)} |"
