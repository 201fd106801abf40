"""What an embedder gives to its gate: vectors, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from dpipe.runtime.models.protocol import Usage


class Embedded(Struct, frozen=True):
    """One vector a text, in order, all of one length."""

    vectors: list[list[float]]
    usage: Usage


class CountingEmbedder(Protocol):
    """An ``Embedder`` without a gate: it also tells the tokens that a call took."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> Embedded: ...

    async def aclose(self) -> None: ...
