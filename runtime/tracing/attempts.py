"""The calls behind an answer, from the journal: what was sent each time, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from dpipe.runtime import reading
from dpipe.runtime.asking import Chain, Query, read_entry, serves
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.journal import Journal, Recorded
from dpipe.runtime.models.protocol import Reply, Request, Usage
from dpipe.runtime.tracing.facts import Attempt
from dpipe.runtime.tracing.watching import Heard

_MILLION = 1e6


class Calls(Struct, frozen=True):
    """Tells of calls; those from ``began`` on (seconds since 1970) are the run's own."""

    journal: Journal
    endpoints: Endpoints
    began: float

    def behind(self, heard: Heard) -> tuple[Attempt, ...]:
        """The attempts in the order in which they were made."""
        query = heard.query
        context = self.endpoints.asked[query.seat.model].context
        chain = Chain(query.request, query.seat.model, query.retry, context)
        found: list[Attempt] = []
        for entry in self.journal.recall(query.key):
            if chain.verdict is None and serves(entry, chain.request):
                found.append(self._attempt(query, chain.request, entry))
                chain.take(entry)
        return tuple(found)

    def _attempt(self, query: Query, request: Request, entry: Recorded) -> Attempt:
        """``request`` is the query's own, or what it became after the attempts before."""
        read = read_entry(entry, request.result)
        outcome, message = ("ok", "") if isinstance(read, reading.Ok) else _failure(read)
        reply = entry.reply or Reply("")
        return Attempt(
            added=request.messages[len(query.request.messages) :],
            outcome=outcome,
            message=message,
            reply=None if entry.reply is None else reply.text,
            reasoning=reply.reasoning,
            finish=None if entry.reply is None else reply.finish,
            input_tokens=reply.usage.input,
            output_tokens=reply.usage.output,
            cost=_cost(self.endpoints.described[query.seat.model].get("price"), reply.usage),
            at=datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds"),
            fresh=entry.at >= self.began,
        )


def _failure(read: reading.Failed) -> tuple[str, str]:
    return read.outcome, read.message


def _cost(price: Mapping[str, Any] | None, usage: Usage) -> float | None:
    """In USD; a price is per million tokens."""
    if price is None:
        return None
    spent = usage.input * price.get("input", 0) + usage.output * price.get("output", 0)
    return float(spent / _MILLION)
