"""Whole files as rows: what text, Markdown and their like share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.encodings import shown
from dpipe.runtime.values import Skipped

_BATCH = 16


def read_each(
    path: str | Sequence[str],
    suffixes: Sequence[str],
    context: Context,
    text_of: Callable[[bytes], str],
    empty: str = "reject",
) -> Reading:
    """A row ``{ path, text }`` a file; ``text_of`` raises ``ValueError`` where there is none.

    With ``empty="skip"`` files without text are left out, else they are rejects.
    """
    files = find_inputs(path, context.base, suffixes)
    skip = empty == "skip"
    return Reading(files, lambda: batched(_rows(files, context, text_of, skip), _BATCH))


def _rows(
    files: Sequence[Path], context: Context, text_of: Callable[[bytes], str], skip: bool
) -> Iterator[Read]:
    for file in files:
        yield _row(file, display(file, context.project), text_of, skip)


def _row(file: Path, name: str, text_of: Callable[[bytes], str], skip: bool) -> Read:
    try:
        data = file.read_bytes()
        text = text_of(data) if data or not skip else ""
    except (OSError, ValueError) as e:
        return Unreadable(name, reason(e))
    if not text.strip():
        return Skipped(name) if skip else Unreadable(name, "holds no text")
    return Record({"path": name, "text": text}, name, name)


def reason(error: Exception) -> str:
    """Why a file could not be read, in a user's words and without its path."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror.lower()}"
    if isinstance(error, UnicodeDecodeError):
        return f"not valid {shown(error.encoding)} at byte {error.start}"
    return str(error)
