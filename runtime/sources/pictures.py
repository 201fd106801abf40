"""Pictures by their bytes: PNG, JPEG, GIF and WebP, which models take."""

from __future__ import annotations

from base64 import b64encode


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
