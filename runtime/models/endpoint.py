"""One url of a model: requests go out, replies come back, and what was learnt is remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import trio

from dpipe.lang.types import Type
from dpipe.runtime.models import wire
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.protocol import Reply, Request, Unavailable
from dpipe.runtime.models.statuses import Who, blames_schema, is_filtered, raise_for
from dpipe.runtime.models.transport import Road


class Endpoint:
    """One url of a model, and what was learnt about it.

    ``_structured`` remembers, per result type, whether structured output is taken there.
    """

    def __init__(self, who: Who, road: Road, timeout: float) -> None:
        self.in_flight = 0
        self._who = who
        self._road = road
        self._timeout = timeout
        self._structured: dict[Type, bool] = {}

    async def complete(self, request: Request, extra: Mapping[str, Any]) -> Reply:
        structured = self._structured.get(request.result, True)
        answer = await self._ask(request, extra, structured=structured)
        if structured and wire.is_structured(request):
            known = request.result in self._structured
            if blames_schema(answer, known=known):
                answer = await self._ask_in_words(request, extra)
            elif answer.status == 200 and not known:
                self._structured[request.result] = True
        if is_filtered(answer):
            return Reply("", "filter")
        return self._read(answer)

    async def embed(self, texts: Sequence[str], extra: Mapping[str, Any]) -> Embedded:
        body = wire.embedding_body(self._who.id, texts, extra)
        answer = await self._post(wire.EMBEDDINGS, body)
        if answer.status != 200:
            raise_for(answer, self._who)
        try:
            return wire.vectors_of(answer.body, len(texts))
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

    async def aclose(self) -> None:
        await self._road.aclose()

    async def _ask(self, request: Request, extra: Mapping[str, Any], *, structured: bool) -> Answer:
        body = wire.body_of(self._who.id, request, extra, structured=structured)
        return await self._post(wire.path_of(request), body)

    async def _ask_in_words(self, request: Request, extra: Mapping[str, Any]) -> Answer:
        """The schema told in words, and so from now on if that is what was wrong."""
        answer = await self._ask(request, extra, structured=False)
        if answer.status == 200:
            self._structured[request.result] = False
        return answer

    def _read(self, answer: Answer) -> Reply:
        if answer.status != 200:
            raise_for(answer, self._who)
        try:
            return wire.reply_of(answer.body)
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

    async def _post(self, path: str, body: bytes) -> Answer:
        self.in_flight += 1
        try:
            with trio.CancelScope(relative_deadline=self._timeout):
                return await self._road.post(path, body)
        finally:
            self.in_flight -= 1
        raise Unavailable(f"no answer within {self._timeout:g} s", kind="timeout")


def least_busy(endpoints: Sequence[Endpoint]) -> Endpoint:
    return min(endpoints, key=lambda endpoint: endpoint.in_flight)
