"""A program's model, made by what its ``url:`` says, behind its gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpipe.runtime.budget import Budget
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.embedding import CountingEmbedder
from dpipe.runtime.models.gate import Gate, GatedEmbedder, GatedModel, OnCall, ignore
from dpipe.runtime.models.openai import openai_embedder, openai_model
from dpipe.runtime.models.options import ModelOptions, read_options
from dpipe.runtime.models.own_embedder import OwnEmbedder
from dpipe.runtime.models.protocol import Model
from dpipe.runtime.models.scripted import ScriptedModel, read_script
from dpipe.runtime.models.simulated import SimulatedEmbedder, SimulatedModel

_STAND_INS = ("simulated", "scripted")
_FREE = (*_STAND_INS, "own")


def make_model(
    name: str,
    kind: str,
    id: str,
    options: Mapping[str, Any],
    *,
    on_call: OnCall = ignore,
    budget: Budget | None = None,
    seed: int = 0,
    needed: bool = False,
) -> GatedModel | GatedEmbedder:
    """The model ``name``; ``kind`` is ``openai`` or ``embedder``, options are evaluated.

    Raises ``UsageError`` for options that cannot be. ``seed`` spreads the waits after trouble.
    A model that is ``needed`` stops the run where it cannot be reached at all.
    """
    read = read_options(name, options)
    if budget is not None and budget.max_cost is not None:
        _check_price(name, read)
    gate = Gate(name, read, on_call=on_call, budget=budget, seed=seed)
    match kind:
        case "openai":
            return GatedModel(_model(name, id, read, needed), gate)
        case "embedder":
            return GatedEmbedder(_embedder(name, id, read, needed), gate)
        case _:
            raise UsageError(f"model `{name}`: `{kind}` is not built yet")


def _check_price(name: str, options: ModelOptions) -> None:
    """Refuse to guess what a model costs; a stand-in costs nothing."""
    if options.price is None and options.scheme not in _FREE:
        raise UsageError(
            f"--max-cost needs to know what the model `{name}` costs, and it has no `price:`",
            hint="add `price: { input: 0.15, output: 0.60 }`, in USD per million tokens",
        )


def _model(name: str, id: str, options: ModelOptions, needed: bool) -> Model:
    match options.scheme:
        case "simulated":
            return SimulatedModel(name, id)
        case "scripted":
            return ScriptedModel(name, id, read_script(options.url[0].removeprefix("scripted:")))
        case _:
            return openai_model(name, id, options, needed=needed)


def _embedder(name: str, id: str, options: ModelOptions, needed: bool) -> CountingEmbedder:
    if options.embed is not None:
        return OwnEmbedder(name, id, options.embed)
    if options.scheme in _STAND_INS:
        return SimulatedEmbedder(name, id)
    return openai_embedder(name, id, options, needed=needed)
