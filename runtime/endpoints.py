"""The models that a run uses, opened: each behind its gate, with its meter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import trio
from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.asking import Endpoint
from dpipe.runtime.budget import Budget
from dpipe.runtime.errors import Mishaps, UsageError
from dpipe.runtime.events import CallEnded, ModelCount
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.kept import scope_of
from dpipe.runtime.metering import Meter
from dpipe.runtime.models.gate import Gate, GatedEmbedder, GatedModel
from dpipe.runtime.models.make import make_model
from dpipe.runtime.models.options import read_options
from dpipe.runtime.models.statuses import shown_url

_STAND_INS = ("simulated:", "scripted:")
_WAITING = 2
"""Rows per place: while some answers are being committed, others are asked for."""
_BACKING_OFF = 8
"""Rows per place, at most, that wait to try again while others begin in their stead."""


def _at_once(gate: Gate) -> int:
    places = int(gate.slots.limit)
    return _WAITING * places + min(gate.backing_off, _BACKING_OFF * places)


_FUNCTIONS = ("request", "response", "embed")


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a record may hold them: no function, no address with a password in it."""
    options = {name: value for name, value in options.items() if name not in _FUNCTIONS}
    url = options.get("url")
    if isinstance(url, str) and not url.startswith(_STAND_INS):
        return {**options, "url": shown_url(url)}
    if isinstance(url, list):
        return {**options, "url": [shown_url(one) for one in url]}
    return options


class Endpoints:
    """A run's models by name. ``close`` lets go of their connections."""

    def __init__(
        self,
        program: graph.Graph,
        used: Iterable[str],
        expressions: Expressions,
        *,
        tell: Callable[[CallEnded], None],
        clock: Callable[[], float],
        budget: Budget | None = None,
        seed: int = 0,
        replay: bool = False,
    ) -> None:
        """In a ``replay`` nobody is called, so no key has to be set.

        Raises ``UsageError`` for options that cannot be, or an environment that lacks one.
        """
        self.models: dict[str, GatedModel | GatedEmbedder] = {}
        self.asked: dict[str, Endpoint] = {}
        self.described: dict[str, Any] = {}
        self._expressions = expressions
        self._meters: dict[str, Meter] = {}
        replaced = set(_replaced(program.nodes))
        mishaps = Mishaps()
        for name in used:
            with mishaps.noted():
                declared = program.models[name]
                options = _options(declared, expressions, keyless=replay)
                self.described[name] = {"id": expressions.constant(declared.id), **_shown(options)}
                meter = self._meters[name] = Meter(tell, clock)
                model = make_model(
                    name,
                    declared.kind,
                    _id(declared, expressions),
                    options,
                    on_call=meter,
                    budget=budget,
                    seed=seed,
                    needed=name not in replaced,
                )
                self.models[name] = model
                if isinstance(model, GatedModel):
                    read = read_options(name, options)
                    sampling = {**read.sampling, **read.body}
                    seeded = read.scheme == "simulated"
                    self.asked[name] = Endpoint(model, sampling, read.context, seeded)
        mishaps.tell()

    def sampling(self, one: graph.One) -> tuple[str, Mapping[str, Any]]:
        """The scope of a model, and its sampling options with those given in place."""
        endpoint = self.asked[one.model]
        given = {name: self._expressions.constant(value) for name, value in one.options}
        given |= given.pop("body", {})
        return endpoint.model.scope, {**endpoint.sampling, **given}

    def embedder(self, one: graph.One) -> GatedEmbedder:
        model = self.models[one.model]
        assert isinstance(model, GatedEmbedder)
        return model

    def at_once(self, names: Collection[str]) -> int:
        """How many rows to have under way so that no place of these models is idle.

        A call that waits to try again has no place, so another row may begin.
        """
        return sum(_at_once(self.models[name].gate) for name in names)

    def counts(self) -> tuple[ModelCount, ...]:
        """What each model was asked so far."""
        return tuple(meter.count(self.models[name]) for name, meter in self._meters.items())

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not any(model.gate.pending for model in self.models.values())

    async def close(self) -> None:
        """Bounded, even where the run was cancelled: a connection is let go, not waited for."""
        with trio.move_on_after(2.0, shield=True):
            for model in self.models.values():
                await model.aclose()


def _id(declared: graph.ModelDef, expressions: Expressions) -> str:
    """What an endpoint calls the model; of a function also what it is, for its vectors' keys."""
    id = str(expressions.constant(declared.id))
    embed = dict(declared.options).get("embed")
    if embed is None:
        return id
    folder = Path(declared.place.file).absolute().parent
    return " ".join([f"own:{id}", *(scope_of(one, folder) for one in expressions.python_in(embed))])


def _options(
    declared: graph.ModelDef, expressions: Expressions, *, keyless: bool = False
) -> dict[str, Any]:
    """The values of a model's options; a stand-in takes no key, so none has to be set for it."""
    given = dict(declared.options)
    mishaps, url = Mishaps(), ""
    if "url" in given:
        with mishaps.noted():
            url = str(expressions.constant(given["url"]))
    if keyless or url.startswith(_STAND_INS):
        given.pop("key", None)
    options: dict[str, Any] = {}
    for name, value in given.items():
        with mishaps.noted():
            if name in _FUNCTIONS and expressions.waits(value):
                told = f"model `{declared.name}`: `{name}:` calls Python that is waited for"
                raise UsageError(told, hint="make it a plain function: no `async`, no `record:`")
            options[name] = expressions.constant(value)
    mishaps.tell()
    if url.startswith("scripted:"):
        script = Path(declared.place.file).absolute().parent / options["url"][len("scripted:") :]
        options["url"] = f"scripted:{script}"
    return options


def _replaced(value: Any) -> Iterator[str]:
    """The models in whose place another answers: the members of each ``fallback``."""
    if isinstance(value, graph.Fallback):
        yield from models_in(value)
    else:
        for part in _parts(value):
            yield from _replaced(part)


def models_in(value: Any) -> Iterator[str]:
    """The names of the models that a node, or a part of one, asks."""
    if isinstance(value, graph.One):
        yield value.model
    for part in _parts(value):
        yield from models_in(part)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Struct):
        return (getattr(value, name) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
