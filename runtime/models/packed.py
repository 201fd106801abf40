"""Answers that come compressed though nobody asked for it."""

from __future__ import annotations

import zlib

from msgspec.structs import replace

from dpipe.runtime.models.connection import MOST, Answer
from dpipe.runtime.models.protocol import Unavailable

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class NotSpoken(Exception):
    """An answer that only a full HTTP client can read."""


def unpacked(answer: Answer) -> Answer:
    """The answer with its body as it was meant; raises ``NotSpoken``, ``Unavailable``."""
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return answer
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise NotSpoken
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = unpack.decompress(answer.body, MOST)
    except zlib.error as error:
        raise Unavailable(
            f"the endpoint's {coding} cannot be read: {error}", kind="server"
        ) from None
    if not unpack.eof:
        raise Unavailable(f"the endpoint's {coding} ends early or is too long", kind="server")
    return replace(answer, body=body)
