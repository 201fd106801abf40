"""An endpoint of another wire format: what a program makes of requests and replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from dpipe.runtime.errors import NoValue
from dpipe.runtime.models.protocol import RejectedRequest
from dpipe.runtime.models.wire import BadReply

Change = Callable[[Any], Any]


class Adapter(Struct, frozen=True):
    """``request`` makes of an OpenAI body the one that is sent, ``response`` the way back.

    Both raise ``RejectedRequest`` where they have no value: the same call would end so again.
    """

    request: Change | None
    response: Change | None

    def sent(self, body: bytes) -> bytes:
        return body if self.request is None else _changed("request", self.request, body)

    def read(self, body: bytes) -> bytes:
        return body if self.response is None else _changed("response", self.response, body)


def _changed(label: str, change: Change, body: bytes) -> bytes:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply(f"the endpoint's reply cannot be read: {error}") from None
    try:
        return msgspec.json.encode(change(said))
    except NoValue as reason:
        raise RejectedRequest(f"`{label}:` has no value: {reason}", status=200) from None


def base_and_path(url: str) -> tuple[str, str]:
    """The address of the server, and the place there that is posted to."""
    parts = urlsplit(url)
    base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    return base, urlunsplit(("", "", parts.path or "/", parts.query, ""))
