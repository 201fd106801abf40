"""One url of a model: requests go out, replies come back, and what was learnt is remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import trio
from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang.types import Type
from dpipe.runtime.errors import EndpointRefused, NoSuchModel
from dpipe.runtime.models import wire
from dpipe.runtime.models.adapter import Adapter
from dpipe.runtime.models.breaker import Breaker
from dpipe.runtime.models.connection import Answer
from dpipe.runtime.models.embedding import Embedded
from dpipe.runtime.models.packed import NotSpoken
from dpipe.runtime.models.protocol import Reply, Request, Unavailable, Unreachable
from dpipe.runtime.models.redaction import Redaction
from dpipe.runtime.models.statuses import Who, blames_schema, is_filtered, raise_for
from dpipe.runtime.models.transport import Road

T = TypeVar("T")

_LOOK = 5.0
"""Seconds for an endpoint to say which models it has."""
_SHOWN = 5


class Foreign(Struct, frozen=True):
    """How one url of another wire format is spoken to: all is posted to ``path``."""

    adapter: Adapter
    path: str


class Endpoint:
    """One url of a model, and what was learnt about it.

    The road is opened by the first call. ``nobody`` is why no connection came about, while none
    ever has. ``_structured`` remembers, per result type, whether structured output is taken there.
    """

    def __init__(
        self,
        who: Who,
        open_road: Callable[[], Road],
        timeout: float,
        foreign: Foreign | None = None,
    ) -> None:
        self.in_flight = 0
        self.breaker = Breaker()
        self.nobody: Unreachable | None = None
        self._answers = False
        self._who = who
        self._open_road = open_road
        self._opened: Road | None = None
        self._timeout = timeout
        self._foreign = foreign
        self._structured: dict[Type, bool] = {}
        self._redact = Redaction(who.key)

    @property
    def place(self) -> str:
        """Its address, without what may be secret in it."""
        return self._who.place

    @property
    def name(self) -> str:
        """The model's name in the program."""
        return self._who.name

    @property
    def id(self) -> str:
        return self._who.id

    async def listed(self) -> list[str]:
        """The ids of the models that it has; none where it does not say so at once."""
        if self._foreign is not None:
            return []
        with trio.move_on_after(_LOOK):
            try:
                answer = self._without_key(await self._road.get(wire.MODELS))
            except (Unavailable, EndpointRefused, NotSpoken):
                return []
            return wire.ids_of(answer.body) if answer.status == 200 else []
        return []

    async def complete(self, request: Request, extra: Mapping[str, Any]) -> Reply:
        if self._foreign is not None:
            return await self._complete_abroad(request, extra, self._foreign)
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
        return self._read(answer, raw=request.raw is not None)

    async def _complete_abroad(
        self, request: Request, extra: Mapping[str, Any], foreign: Foreign
    ) -> Reply:
        """Through the adapter; the schema is told in words, which every model can read."""
        body = wire.body_of(self._who.id, request, extra, structured=False)
        answer = await self._post(foreign.path, foreign.adapter.sent(body))
        if answer.status == 200:
            answer = replace(answer, body=self._adapted(answer, foreign.adapter))
        return self._read(answer, raw=request.raw is not None)

    def _adapted(self, answer: Answer, adapter: Adapter) -> bytes:
        try:
            return adapter.read(answer.body)
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

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
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def _road(self) -> Road:
        if self._opened is None:
            self._opened = self._open_road()
        return self._opened

    async def _ask(self, request: Request, extra: Mapping[str, Any], *, structured: bool) -> Answer:
        body = wire.body_of(self._who.id, request, extra, structured=structured)
        return await self._post(wire.path_of(request), body)

    async def _ask_in_words(self, request: Request, extra: Mapping[str, Any]) -> Answer:
        """The schema told in words, and so from now on if that is what was wrong."""
        answer = await self._ask(request, extra, structured=False)
        if answer.status == 200:
            self._structured[request.result] = False
        return answer

    def _read(self, answer: Answer, *, raw: bool) -> Reply:
        if answer.status != 200:
            raise_for(answer, self._who, raw=raw)
        try:
            return wire.reply_of(answer.body)
        except wire.BadReply as error:
            raise Unavailable(str(error), kind="server", status=answer.status) from None

    def _without_key(self, answer: Answer) -> Answer:
        """The answer; an endpoint may send back the key that it was sent."""
        body = self._redact(answer.body)
        return answer if body is answer.body else replace(answer, body=body)

    async def _post(self, path: str, body: bytes) -> Answer:
        road = self._road
        self.in_flight += 1
        try:
            with trio.CancelScope(relative_deadline=self._timeout):
                return self._without_key(await self._reached(road.post(path, body)))
        finally:
            self.in_flight -= 1
        raise Unavailable(f"no answer within {self._timeout:g} s", kind="timeout")

    async def _reached(self, call: Awaitable[Answer]) -> Answer:
        try:
            answer = await call
        except Unreachable as error:
            self.nobody = None if self._answers else error
            raise
        self._answers, self.nobody = True, None
        return answer


class Spread:
    """The urls of one model. A call goes to the one with the least to do, and to the next where it
    cannot be reached.

    One that fails is left alone for a while, and then tried with one call now and then. Of a model
    that is ``needed`` one must be there: where none has ever been reached, a call raises
    ``EndpointRefused``.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, needed: bool = False) -> None:
        self.endpoints = endpoints
        self._needed = needed

    @property
    def resting(self) -> tuple[str, ...]:
        """The addresses that are left alone, while others answer."""
        places = [one.place for one in self.endpoints if one.breaker.is_open]
        return tuple(places) if len(places) < len(self.endpoints) else ()

    async def ask(self, call: Callable[[Endpoint], Awaitable[T]]) -> T:
        """The answer of one of them: where no connection comes about, the next is asked."""
        left = list(self.endpoints)
        while True:
            endpoint = self._chosen(left) if len(left) > 1 else left[0]
            left.remove(endpoint)
            try:
                return await self._asked(endpoint, call)
            except Unreachable:
                if not left:
                    self._see_that_one_is_there()
                    raise

    async def _asked(self, endpoint: Endpoint, call: Callable[[Endpoint], Awaitable[T]]) -> T:
        try:
            result = await call(endpoint)
        except Unavailable as error:
            if error.kind != "rate":
                endpoint.breaker.failed()
            raise
        except NoSuchModel as refused:
            refused.hint = _instead(endpoint.id, await endpoint.listed()) or refused.hint
            raise
        endpoint.breaker.answered()
        return result

    async def aclose(self) -> None:
        for endpoint in self.endpoints:
            await endpoint.aclose()

    def _see_that_one_is_there(self) -> None:
        nobody = [one.nobody.message for one in self.endpoints if one.nobody is not None]
        if self._needed and len(nobody) == len(self.endpoints):
            raise EndpointRefused(
                f"model `{self.endpoints[0].name}`: {'; '.join(nobody)}",
                code="P0004",
                hint="start the server, or write its address in `url:`; what was answered is kept",
            )

    def _chosen(self, among: Sequence[Endpoint]) -> Endpoint:
        for endpoint in among:
            if endpoint.breaker.is_due:
                endpoint.breaker.rest()
                return endpoint
        well = [endpoint for endpoint in among if not endpoint.breaker.is_open]
        return min(well or among, key=lambda endpoint: endpoint.in_flight)


def _instead(id: str, listed: Sequence[str]) -> str | None:
    """What may have been meant, of what an endpoint has."""
    if near := get_close_matches(id, listed, n=1):
        return f"did you mean `{near[0]}`?"
    shown = ", ".join(f"`{one}`" for one in listed[:_SHOWN])
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"it has {shown}{more}" if listed else None
