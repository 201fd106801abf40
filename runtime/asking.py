"""One question to one model, with everything around it: journal, gate, reading, asking again.

The journal comes first: what it holds is taken as if it had just arrived. What is asked anew is
in it before anybody sees the answer, and before the model's place is free: so at most as many
replies can be lost as calls are made at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import trio
from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang.types import Type
from dpipe.runtime import reading
from dpipe.runtime.answerers import Failed, Meta, Seat, Value
from dpipe.runtime.journal import LOOKED_UP_AT_ONCE, Journal, Recorded
from dpipe.runtime.keys import draw_key, question_key, request_key
from dpipe.runtime.models.gate import GatedModel
from dpipe.runtime.models.protocol import (
    Message,
    RejectedRequest,
    Reply,
    Request,
    Unavailable,
    Usage,
)
from dpipe.runtime.values import key_of

RETRY: Mapping[str, int] = {"malformed": 2, "invalid": 2, "truncated": 1}
"""How often a question is asked again after an outcome; what is not named is not."""

_SAME_AGAIN = frozenset({"refused", "filtered", "rejected_request", "unavailable"})
"""Outcomes that the same request would have again, or that the gate has tried enough."""

Draw = tuple[int, ...]


class Question(Struct, frozen=True):
    """A prompt as rendered for one row: ``messages``, or ``raw`` text.

    ``key`` is what is asked, in sixteen bytes; ``prompt`` its name, and ``args`` are the values
    of its parameters, in their order.
    """

    messages: tuple[Message, ...]
    raw: str | None
    result: Type
    key: bytes
    prompt: str
    args: tuple[Any, ...]


class Endpoint(Struct, frozen=True):
    """A model of the program, behind its gate.

    ``sampling`` are its declared options, ``context`` the tokens that prompt and answer may have
    together; ``seeded`` says that it draws by a number that it is given.
    """

    model: GatedModel
    sampling: Mapping[str, Any]
    context: int | None = None
    seeded: bool = False


class Chain:
    """The attempts at one answer, those in the journal first. Pure state, no waiting.

    While ``verdict`` is None, ``request`` is to be sent, and what comes of it to be taken;
    ``attempt`` is its place in the journal.
    """

    def __init__(
        self,
        request: Request,
        model: str,
        retry: Mapping[str, int],
        context: int | None,
        recorded: Iterable[Recorded] = (),
    ) -> None:
        self.request = request
        self.verdict: Value | Failed | None = None
        self.attempt = 0
        self._first = request
        self._model = model
        self._left = dict(retry)
        self._context = context
        for entry in recorded:
            if self.verdict is None and serves(entry, self.request):
                self.take(entry)
            self.attempt = entry.attempt + 1

    def take(self, entry: Recorded, read: reading.Read | None = None) -> None:
        """What became of ``request``: a verdict, or the request to send next.

        ``read`` is the entry's reply as the request's type, where it has been read.
        """
        self.attempt = entry.attempt + 1
        read = read or read_entry(entry, self.request.result)
        if isinstance(read, reading.Ok):
            self.verdict = Value(read.value, self._model, read.reasoning, self._meta(entry))
            return
        again = self._again(read, entry.reply) if self._left.get(read.outcome, 0) > 0 else None
        if again is None:
            text = entry.reply.text if entry.reply else None
            self.verdict = Failed(read.outcome, read.message, text)
            return
        self._left[read.outcome] -= 1
        self.request = again

    def _meta(self, entry: Recorded) -> Meta:
        usage = entry.reply.usage if entry.reply else Usage()
        options, attempts = self._first.options, entry.attempt + 1
        tokens = usage.input or None, usage.output or None
        return Meta(self._model, entry.model, options, attempts, *tokens)

    def _again(self, read: reading.Failed, reply: Reply | None) -> Request | None:
        """The request to send after this outcome; None where it would end the same way."""
        if reply is None or read.outcome in _SAME_AGAIN:
            return None
        if read.outcome == "truncated":
            return longer(self.request, reply.usage, self._context)
        if read.outcome == "empty":
            return self.request
        return repaired(self._first, self.request.options, reply.text, read.message)


def read_entry(entry: Recorded, result: Type) -> reading.Read:
    """An attempt's reply, read as the type; the outcome of one that brought no reply."""
    if entry.reply is None:
        return reading.Failed(entry.outcome, entry.message)  # type: ignore[arg-type]
    return reading.read_reply(entry.reply, result)


def serves(entry: Recorded, request: Request) -> bool:
    """Whether an attempt made under another ``max_tokens`` would have ended alike.

    An answer that ended by itself does, where the limit holds it; one that was cut off does not.
    """
    limit = request.options.get("max_tokens")
    if entry.max_tokens == limit:
        return True
    if entry.reply is None or entry.reply.finish == "length":
        return False
    return limit is None or 0 < entry.reply.usage.output <= limit


def longer(request: Request, usage: Usage, context: int | None) -> Request | None:
    """The request with twice the ``max_tokens``, as far as the context holds them."""
    limit = request.options.get("max_tokens") or usage.output
    most = 2 * limit if context is None else min(2 * limit, context - usage.input)
    if most <= limit:
        return None
    return replace(request, options={**request.options, "max_tokens": most})


def repaired(first: Request, options: Mapping[str, Any], answer: str, fault: str) -> Request:
    """The first request with the answer and its fault behind it; a raw one as it was."""
    if first.raw is not None:
        return replace(first, options=options)
    shown = Message("assistant", answer)
    asked = Message("user", f"That answer cannot be used: {fault}. Answer again, corrected.")
    return replace(first, messages=(*first.messages, shown, asked), options=options)


class Query(Struct, frozen=True):
    """A question to one model on behalf of a row, under its key in the journal."""

    seat: Seat
    question: Question
    request: Request
    retry: Mapping[str, int]
    key: bytes
    draw: Draw
    row: bytes

    @property
    def turn(self) -> bytes:
        """The key that tells that the row went on though this question failed."""
        return key_of("turn", self.key, self.row, repr(self.draw))


def question_of(
    messages: tuple[Message, ...], raw: str | None, result: Type, prompt: str, args: tuple[Any, ...]
) -> Question:
    key = question_key(messages, raw, result)
    return Question(messages, raw, result, key, prompt, args)


def query_of(
    scope: str, seat: Seat, question: Question, draw: Draw, retry: Mapping[str, int], row: bytes
) -> Query:
    """A question of one row; at temperature 0 equal questions have one key."""
    request = Request(question.messages, question.raw, question.result, seat.options)
    greedy = seat.options.get("temperature") == 0
    key = draw_key(request_key(scope, seat.meant, question.key), () if greedy else draw)
    return Query(seat, question, request, retry, key, draw, row)


class Answering(Protocol):
    """What the questions of rows are put to: ``Asker``, or in a test its script.

    ``recalls`` counts answers that took no call; of ``rows_at_once`` rows the questions may be
    recalled together.
    """

    recalls: int

    @property
    def rows_at_once(self) -> int: ...

    def query(
        self, seat: Seat, question: Question, draw: Draw, retry: Mapping[str, int], row: bytes
    ) -> Query: ...

    def recalled(self, queries: Sequence[Query]) -> list[Value | Failed | None]:
        """The answers that are known; None where a call is needed."""

    async def ask(self, query: Query) -> Value | Failed: ...

    async def got_over(self, query: Query, failure: Failed) -> None:
        """Keep that a row went on in spite of this failure: it takes the same road ever after."""

    def is_got_over(self, query: Query) -> bool: ...


class Asker:
    """Asks the models of one run. With ``replay`` it answers from the journal alone."""

    rows_at_once = LOOKED_UP_AT_ONCE

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        journal: Journal,
        *,
        replay: bool = False,
    ) -> None:
        self.recalls = 0
        self._endpoints = endpoints
        self._journal = journal
        self._replay = replay
        self._under_way: dict[bytes, trio.Event] = {}
        # What was looked up in vain, until its key is asked: till then it stands as it did.
        self._missed: dict[bytes, tuple[Query, Chain]] = {}

    def query(
        self, seat: Seat, question: Question, draw: Draw, retry: Mapping[str, int], row: bytes
    ) -> Query:
        scope = self._endpoints[seat.model].model.scope
        return query_of(scope, seat, question, draw, retry, row)

    def recalled(self, queries: Sequence[Query]) -> list[Value | Failed | None]:
        """The answers that the journal has, by one look-up; None where a call is needed."""
        recorded = self._journal.recall_all([query.key for query in queries])
        return [self._recalled(query, recorded.get(query.key, ())) for query in queries]

    def _recalled(self, query: Query, recorded: Sequence[Recorded]) -> Value | Failed | None:
        if query.key in self._under_way:
            return None
        chain = self._chain(query, recorded)
        if chain.verdict is None:
            self._missed[query.key] = (query, chain)
        return chain.verdict

    async def ask(self, query: Query) -> Value | Failed:
        """One answer; equal questions that are asked at the same time share it."""
        while (other := self._under_way.get(query.key)) is not None:
            await other.wait()
        missed, chain = self._missed.pop(query.key, (None, None))
        if chain is None or missed is not query:
            chain = self._chain(query, self._journal.recall(query.key))
        if chain.verdict is not None:
            self.recalls += 1
            return chain.verdict
        self._under_way[query.key] = trio.Event()
        try:
            return await self._answer(query, chain)
        finally:
            self._under_way.pop(query.key).set()

    async def got_over(self, query: Query, failure: Failed) -> None:
        """Keep that a row went on in spite of this failure: it takes the same road ever after."""
        if not self.is_got_over(query):
            await self._journal.record(
                query.turn,
                0,
                outcome=failure.outcome,
                message=failure.message,
                prompt=query.question.prompt,
            )

    def is_got_over(self, query: Query) -> bool:
        return self._replay or bool(self._journal.recall(query.turn))

    def _chain(self, query: Query, recorded: Sequence[Recorded]) -> Chain:
        """What the attempts so far come to; without a verdict where a call is needed."""
        endpoint = self._endpoints[query.seat.model]
        standing = self._standing(recorded)
        chain = Chain(query.request, query.seat.model, query.retry, endpoint.context, standing)
        if chain.verdict is None and recorded and (turn := self._journal.recall(query.turn)):
            chain.verdict = Failed(turn[-1].outcome, turn[-1].message)
        if chain.verdict is None and self._replay:
            chain.verdict = Failed("unavailable", "a replay, and the journal has no answer to this")
        return chain

    def _standing(self, recorded: Sequence[Recorded]) -> Sequence[Recorded]:
        """The attempts that still count.

        A chain that failed in a run that ended does not: its row is asked for again. Of one that
        was cut off each reply does; that an endpoint was out of reach does not.
        """
        if not recorded or recorded[-1].outcome == "ok" or self._replay:
            return recorded
        last = recorded[-1]
        if self._journal.ended(last.run):
            return ()
        if last.outcome == "unavailable" and last.run != self._journal.run:
            return recorded[:-1]
        return recorded

    async def _answer(self, query: Query, chain: Chain) -> Value | Failed:
        while chain.verdict is None:
            entry, read = await self._attempt(query, chain)
            chain.take(entry, read)
        return chain.verdict

    async def _attempt(self, query: Query, chain: Chain) -> tuple[Recorded, reading.Read]:
        """Send the chain's request; whatever comes of it is an entry of the journal."""
        model = self._endpoints[query.seat.model].model
        made: tuple[Recorded, reading.Read]

        async def keep(reply: Reply | None, read: reading.Read) -> None:
            nonlocal made
            made = self._entry(chain, model.scope, reply, read), read
            await self._record(query, made[0])

        async def keep_reply(reply: Reply) -> None:
            await keep(reply, reading.read_reply(reply, chain.request.result))

        try:
            await model.complete(self._drawn(query, chain), keep_reply)
        except RejectedRequest as rejected:
            await keep(None, reading.Failed("rejected_request", rejected.message))
        except Unavailable as unavailable:
            await keep(None, reading.Failed("unavailable", unavailable.message))
        return made

    def _entry(self, chain: Chain, scope: str, reply: Reply | None, read: reading.Read) -> Recorded:
        outcome, message = ("ok", "")
        if isinstance(read, reading.Failed):
            outcome, message = read.outcome, read.message
        limit = chain.request.options.get("max_tokens")
        run = self._journal.run or 0
        return Recorded(chain.attempt, run, outcome, message, reply, limit, model=scope)

    async def _record(self, query: Query, entry: Recorded) -> None:
        await self._journal.record(
            query.key,
            entry.attempt,
            outcome=entry.outcome,
            message=entry.message,
            reply=entry.reply,
            max_tokens=entry.max_tokens,
            model=entry.model,
            prompt=query.question.prompt,
        )

    def _drawn(self, query: Query, chain: Chain) -> Request:
        """The request as it is sent; who cannot draw without is given a number."""
        endpoint = self._endpoints[query.seat.model]
        if not endpoint.seeded or "seed" in chain.request.options:
            return chain.request
        seed = int.from_bytes(key_of(query.key, str(chain.attempt))[:4], "big")
        return replace(chain.request, options={**chain.request.options, "seed": seed})
