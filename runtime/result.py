"""How a run ended, as ``dpipe run`` and ``dpipe.run`` tell it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from dpipe.runtime.events import ModelCount, NodeCount, Status

EXIT_CODES: Mapping[Status, int] = {
    "done": 0,
    "rows lost": 1,
    "failed": 2,
    "stopped": 4,
    "interrupted": 130,
}


class OutputFile(Struct, frozen=True):
    """A complete file of a sink; its path is relative to the project."""

    sink: str
    path: str
    rows: int


class RunResult(Struct, frozen=True):
    """How a run ended. ``nodes`` is the funnel, in the order of the program; ``rejects`` counts
    by file; ``recalled`` answers came from the journal. ``message`` says what is worth saying."""

    id: str
    status: Status
    exit_code: int
    message: str | None
    nodes: tuple[NodeCount, ...]
    models: tuple[ModelCount, ...]
    outputs: tuple[OutputFile, ...]
    rejects: Mapping[str, int]
    recalled: int
    seconds: float

    @property
    def calls(self) -> int:
        return sum(model.calls for model in self.models)

    @property
    def input_tokens(self) -> int:
        return sum(model.input_tokens for model in self.models)

    @property
    def output_tokens(self) -> int:
        return sum(model.output_tokens for model in self.models)

    @property
    def cost(self) -> float | None:
        """USD; None where a model was called that has no price."""
        costs = [model.cost for model in self.models if model.calls]
        return None if None in costs else sum(cost for cost in costs if cost is not None)
