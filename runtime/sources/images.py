"""Pictures: a row ``{ path, image }`` a file."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import Context, Read, Reading, Record, Unreadable, batched
from dpipe.runtime.sources.files import reason

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


def url_of(data: bytes) -> str:
    """A picture as a data URL; raises ``ValueError`` for none and for one cut off."""
    return f"data:image/{_kind(data)};base64,{b64encode(data).decode('ascii')}"


def _kind(data: bytes) -> str:
    """The picture's kind by its bytes; raises ``ValueError`` for none and for one cut off."""
    if not data:
        raise ValueError("the file is empty")
    for kind, start, is_whole in _KINDS:
        if data.startswith(start):
            if not is_whole(data):
                raise ValueError(f"damaged: the {kind.upper()} is cut off")
            return kind
    raise ValueError("not a picture in PNG, JPEG, GIF or WebP")


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether its last scan has an end: that of a preview inside comes before."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")


def _riff_is_whole(data: bytes) -> bool:
    return data[8:12] == b"WEBP" and len(data) >= 8 + int.from_bytes(data[4:8], "little")


# Cameras and editors put bytes behind a picture's end, so that the end is looked for.
_KINDS = (
    ("png", b"\x89PNG\r\n\x1a\n", lambda data: b"IEND\xaeB`\x82" in data),
    ("jpeg", b"\xff\xd8\xff", _jpeg_is_whole),
    ("gif", b"GIF8", lambda data: data.rstrip(b"\0").endswith(b";")),
    ("webp", b"RIFF", _riff_is_whole),
)
