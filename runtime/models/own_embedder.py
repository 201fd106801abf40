"""Vectors from a program's own function, in the place of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio

from dpipe.runtime.errors import NoValue
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.protocol import RejectedRequest, Usage


class OwnEmbedder:
    """Calls the function with all texts of a call; the run waits for it.

    ``scope`` tells it from others, and from itself before it was changed.
    """

    def __init__(self, name: str, scope: str, function: Callable[[Any], Any]) -> None:
        self.name = name
        self.scope = scope
        self._function = function

    async def embed(self, texts: Sequence[str]) -> Embedded:
        await trio.lowlevel.checkpoint()
        try:
            vectors = self._function(list(texts))
        except NoValue as reason:
            raise RejectedRequest(f"`embed:` has no value: {reason}", status=200) from None
        if len(vectors) != len(texts):
            told = f"`embed:` gave {len(vectors)} vectors for {len(texts)} texts"
            raise RejectedRequest(told, status=200)
        if len(set(map(len, vectors))) > 1:
            raise RejectedRequest("the vectors of `embed:` differ in length", status=200)
        return Embedded(vectors, Usage())

    async def aclose(self) -> None:
        """There is nothing to close."""
