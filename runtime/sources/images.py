"""Pictures: a row ``{ path, image }`` a file."""

from __future__ import annotations

from pathlib import Path

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.pictures import url_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


def read(path: str | list[str], *, context: Context) -> Reading:
    """Each picture as a data URL: PNG, JPEG, GIF and WebP, which models take."""
    files = find_inputs(path, context.base, SUFFIXES)
    return Reading(files, lambda: batched((_row(file, context) for file in files), 4))


def _row(file: Path, context: Context) -> Read:
    name = display(file, context.project)
    try:
        url = url_of(file.read_bytes())
    except (OSError, ValueError) as e:
        return Unreadable(name, reason(e))
    return Record({"path": name, "image": url}, name, name)
