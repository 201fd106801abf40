"""How the bytes of a call travel: a path and a body out, a status, headers and a body back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Answer(Struct, frozen=True):
    """An HTTP answer, whatever its status; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Road(Protocol):
    """A way to one endpoint; ``post`` raises ``protocol.Unavailable`` where nothing came back."""

    async def post(self, path: str, body: bytes) -> Answer: ...

    async def aclose(self) -> None: ...
