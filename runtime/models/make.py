"""A program's model, made by what its ``url:`` says, behind its gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.embedding import CountingEmbedder
from dpipe.runtime.models.gate import Gate, GatedEmbedder, GatedModel, OnCall, ignore
from dpipe.runtime.models.options import ModelOptions, read_options
from dpipe.runtime.models.protocol import Model
from dpipe.runtime.models.scripted import ScriptedModel, read_script
from dpipe.runtime.models.simulated import SimulatedEmbedder, SimulatedModel


def make_model(
    name: str,
    kind: str,
    id: str,
    options: Mapping[str, Any],
    *,
    on_call: OnCall = ignore,
    seed: int = 0,
) -> GatedModel | GatedEmbedder:
    """The model ``name``; ``kind`` is ``openai`` or ``embedder``, options are evaluated.

    Raises ``UsageError`` for options that cannot be. ``seed`` spreads the waits after trouble.
    """
    read = read_options(name, options)
    gate = Gate(name, read, on_call=on_call, seed=seed)
    match kind:
        case "openai":
            return GatedModel(_model(name, id, read), gate)
        case "embedder":
            return GatedEmbedder(_embedder(name, id, read), gate)
        case _:
            raise UsageError(f"model `{name}`: `{kind}` is not built yet")


def _model(name: str, id: str, options: ModelOptions) -> Model:
    match options.scheme:
        case "simulated":
            return SimulatedModel(name, id)
        case "scripted":
            return ScriptedModel(name, id, read_script(options.url[0].removeprefix("scripted:")))
        case _:
            # the SDK takes half a second to import
            from dpipe.runtime.models.openai import openai_model

            return openai_model(name, id, options)


def _embedder(name: str, id: str, options: ModelOptions) -> CountingEmbedder:
    if options.scheme in ("simulated", "scripted"):
        return SimulatedEmbedder(name, id)
    from dpipe.runtime.models.openai import openai_embedder

    return openai_embedder(name, id, options)
