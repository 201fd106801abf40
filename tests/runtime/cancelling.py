"""A program of all kinds of stages, run in virtual time and cancelled at any moment.

Its models take seconds, and answer now and then as none should.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from dpipe.runtime.models import simulated
from dpipe.runtime.models.protocol import Reply, Request
from dpipe.runtime.models.simulated import SimulatedModel
from dpipe.runtime.run import RunOptions, RunResult, run_graph
from dpipe.runtime.settings import Settings
from dpipe.runtime.values import key_of
from tests.runtime.programs import Folder

T = TypeVar("T")
ROWS = 8
SETTINGS = Settings.model_validate({"canary": 0})

PROGRAM = """dpipe 1

model a = openai("a", url: "simulated:", concurrency: 2)
model b = openai("b", url: "simulated:", concurrency: 2)
model c = openai("c", url: "simulated:", concurrency: 2)

type Label = { topic: str, kind: "old" | "new" }

source docs: { id: int, text: str } = jsonl("in.jsonl")

prompt label(text: str) -> Label { user: "Label this: {text}" }
prompt ask_kind(text: str) -> "yes" | "no" { user: "Is this good? {text}" }
prompt rewrite(text: str) -> str { user: "Say it better: {text}" }

pipe better(rows: flow[{ text: str }]) {
  rows | ask(rewrite(), using: a, as: .text)
}

flow labelled = docs
  | ask(label, using: vote([a, b, c], on: v -> v.kind, tie: c), as: .label)
  | ask(ask_kind, using: cascade([b, vote([a, c, a])], accept: v -> v == "yes"), as: .good)
  | keep(.id, .text, kind: .label.kind, .good)

flow grown = labelled
  | loop(better, times: 2, until: len(.text) > 60)
  | dedup(.text, by: exact())

sink kinds = grown | group(by: .kind, ids: collect(.id), n: count()) | jsonl("out/kinds.jsonl")
sink first = grown | limit(3) | jsonl("out/first.jsonl")
"""


class Wire:
    """What went over the wire: which requests came back, and how often each was begun."""

    def __init__(self) -> None:
        self.begun: Counter[bytes] = Counter()
        self.back: set[bytes] = set()
        self.again: set[bytes] = set()
        self.instants: list[float] = []

    def stand_in(self) -> Callable[[SimulatedModel, Request], Awaitable[Reply]]:
        """The method of a simulated model."""

        async def complete(model: SimulatedModel, request: Request) -> Reply:
            return await self.complete(model, request)

        return complete

    async def complete(self, model: SimulatedModel, request: Request) -> Reply:
        """A reply after some seconds; it is kept in mind that it came back."""
        key = key_of(model.scope, repr(request))
        if key in self.back:
            self.again.add(key)
        self.begun[key] += 1
        dice = Random(key)
        await trio.sleep(dice.choice((1.0, 1.0, 2.0, 4.0)))
        self.instants.append(trio.current_time())
        self.back.add(key)
        return _spoilt(simulated.simulate(model.scope, request), dice)


def _spoilt(reply: Reply, dice: Random) -> Reply:
    """One reply in three is none: which ones hangs on the request, its number included."""
    match dice.randrange(9):
        case 0:
            return replace(reply, text=reply.text[:-1] + "[")
        case 1:
            return replace(reply, finish="length")
        case 2:
            return Reply("I'm sorry, but I can't help with that.")
        case _:
            return reply


async def _at_once(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """A thread's work done here, so that the order of all things is the same each time."""
    await trio.lowlevel.checkpoint()
    return work(*args)


class Steps(trio.abc.Instrument):
    """Cancels a scope before so many steps of tasks are over."""

    def __init__(self, most: float, scope: trio.CancelScope) -> None:
        self.taken = 0
        self._most = most
        self._scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1
        if self.taken == self._most:
            self._scope.cancel()


class Course:
    """The program in a folder of its own, run again and again."""

    def __init__(self, root: Path) -> None:
        self.wire = Wire()
        self._folder = Folder(root)
        texts = [f"Stone {at % 7} is grey. It lies on a hill. It is old." for at in range(ROWS)]
        self._folder.rows("in.jsonl", [{"id": at, "text": text} for at, text in enumerate(texts)])
        self._program = self._folder.compiled(PROGRAM)

    def unbroken(self) -> tuple[dict[str, bytes], list[float], int]:
        """The files of a run that nobody cancels, the instants of its replies, its steps."""
        self._clear()
        result, steps = self._run()
        assert result is not None
        return self._written(), sorted(set(self.wire.instants)), steps

    def broken(self, *, until: float = inf, steps: float = inf) -> dict[str, bytes]:
        """The files where a first run is cancelled and a second goes on.

        No reply that came back in the one may be asked for again in the other.
        """
        self._clear()
        first, _ = self._run(until, steps)
        second, _ = self._run()
        assert first is None
        assert second is not None
        for node in second.nodes:
            assert node.entered == node.passed + sum(node.reasons.values()), node
        assert self.wire.again == set()
        return self._written()

    def _clear(self) -> None:
        self.wire = Wire()
        for name in ("out", ".dpipe"):
            shutil.rmtree(self._folder.root / name, ignore_errors=True)

    def _written(self) -> dict[str, bytes]:
        return {name: (self._folder.root / name).read_bytes() for name in self._folder.files()}

    def _run(self, until: float = inf, steps: float = inf) -> tuple[RunResult | None, int]:
        """One run, cancelled at an instant or a step: None where it was. And its steps."""
        scope = trio.CancelScope()
        counted = Steps(steps, scope)

        async def main() -> RunResult | None:
            with scope:
                scope.deadline = trio.current_time() + until
                return await run_graph(self._program, RunOptions(settings=SETTINGS))
            return None

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SimulatedModel, "complete", self.wire.stand_in())
            patch.setattr(trio.to_thread, "run_sync", _at_once)
            clock = MockClock(autojump_threshold=0)
            return trio.run(main, clock=clock, instruments=[counted]), counted.taken
