"""What each model was asked in a run, as its gate tells it."""

from __future__ import annotations

from collections.abc import Callable

from dpipe.runtime.events import CallEnded, ModelCount
from dpipe.runtime.models import gate
from dpipe.runtime.models.protocol import Usage


class Meter:
    """Counts the calls of one model and tells each; ``clock`` gives seconds since the start."""

    def __init__(self, tell: Callable[[CallEnded], None], clock: Callable[[], float]) -> None:
        self.calls = 0
        self.usage = Usage()
        self.cost: float | None = None
        self._tell = tell
        self._clock = clock

    def __call__(self, call: gate.CallEnded) -> None:
        self.calls += 1
        self.usage = Usage(
            self.usage.input + call.usage.input, self.usage.output + call.usage.output
        )
        if call.cost is not None:
            self.cost = (self.cost or 0.0) + call.cost
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

    def count(self, gate: gate.Gate) -> ModelCount:
        """Where the model stands."""
        return ModelCount(
            gate.name,
            self.calls,
            self.usage.input,
            self.usage.output,
            self.cost,
            gate.slots.in_use,
            gate.slots.waiting,
        )
