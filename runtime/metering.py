"""What each model was asked in a run, as its gate tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import trio

from dpipe.runtime.events import CallEnded, ModelCount, Trouble
from dpipe.runtime.models import gate
from dpipe.runtime.models.gate import GatedEmbedder, GatedModel
from dpipe.runtime.models.outage import Outage
from dpipe.runtime.models.protocol import Usage


class Meter:
    """Counts the calls of one model and tells each; ``clock`` gives seconds since the start."""

    def __init__(self, tell: Callable[[CallEnded], None], clock: Callable[[], float]) -> None:
        self.calls = 0
        self.usage = Usage()
        self.cost: float | None = None
        self.failed: Counter[str] = Counter()
        self._tell = tell
        self._clock = clock

    def __call__(self, call: gate.CallEnded) -> None:
        self.calls += 1
        self.usage = Usage(
            self.usage.input + call.usage.input, self.usage.output + call.usage.output
        )
        if call.cost is not None:
            self.cost = (self.cost or 0.0) + call.cost
        if call.trouble not in (None, "cancelled"):
            self.failed[_how(call)] += 1
        self._tell(
            CallEnded(
                elapsed=self._clock(),
                model=call.model,
                outcome=call.trouble or "ok",
                latency=call.seconds,
                usage=call.usage,
                cost=call.cost,
            )
        )

    def count(self, model: GatedModel | GatedEmbedder) -> ModelCount:
        """Where the model stands."""
        gate = model.gate
        return ModelCount(
            gate.name,
            self.calls,
            self.usage.input,
            self.usage.output,
            self.cost,
            gate.slots.in_use,
            gate.slots.waiting,
            dict(self.failed),
            _trouble(gate.outage),
            model.resting,
        )


def _how(call: gate.CallEnded) -> str:
    """The status that a call failed with, or what went wrong where that tells nothing."""
    if call.status is not None and call.status != 200:
        return str(call.status)
    return "unreadable" if call.status else str(call.trouble)


def _trouble(outage: Outage) -> Trouble | None:
    if (told := outage.trouble) is None:
        return None
    seconds = trio.current_time() - told.began
    return Trouble(told.message, told.times, seconds, told.given_up)
