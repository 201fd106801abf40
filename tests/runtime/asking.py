"""An ``ask`` stage over models of the test's own, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import trio
from trio.testing import MockClock

from dpipe.lang import graph, types
from dpipe.lang.graph import Const, Field, Local, One, PromptCall, PromptDef, Section
from dpipe.runtime.asking import Asker, Endpoint
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.journal import Journal
from dpipe.runtime.models.gate import Gate, GatedModel
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.models.protocol import Reply, Request, Usage
from dpipe.runtime.stages import ask
from dpipe.runtime.stages.base import Unwanted
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.values import Batch, Row, key_of

Answer: TypeAlias = Callable[[str], Reply | Exception]
PLACE = graph.Place("test.dpipe", 1, 1)


class FakeModel:
    """Answers by the text of the last message; counts what it is asked."""

    def __init__(
        self,
        name: str,
        answer: Answer | None = None,
        *,
        latency: Callable[[str], float] = lambda text: 1.0,
    ) -> None:
        self.name = name
        self.scope = name
        self.requests: list[Request] = []
        self.in_flight = self.most_in_flight = 0
        self._answer = answer or (lambda text: Reply(f"{name}: {text}"))
        self._latency = latency

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        text = str(request.messages[0].content)
        try:
            await trio.sleep(self._latency(text))
        finally:
            self.in_flight -= 1
        answer = self._answer(text)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        """There is nothing to close."""


class Collector:
    """An outlet that wants ``most`` rows."""

    def __init__(self, most: float = float("inf")) -> None:
        self.items: Batch = []
        self.at: list[float] = []
        self._most = most

    async def put(self, batch: Batch) -> None:
        await trio.lowlevel.checkpoint()
        for item in batch:
            if len(self.items) < self._most:
                self.items.append(item)
                self.at.append(trio.current_time())
        if len(self.items) >= self._most:
            raise Unwanted


class Lab:
    """Asks models through one journal, in runs that follow each other."""

    def __init__(self, folder: Path, *models: FakeModel, concurrency: int = 4) -> None:
        self.models = {model.name: model for model in models}
        self.concurrency = concurrency
        self.sampling: dict[str, dict[str, Any]] = {}
        self.context: int | None = None
        self.result: types.Type = types.STR
        self.limited = False
        self._journal = folder / "journal.sqlite"

    def run(
        self,
        rows: Sequence[Row],
        using: graph.Answerer | None = None,
        *,
        out: Collector | None = None,
        ends: bool = True,
        replay: bool = False,
        batch: int = 256,
        limited: bool = False,
        **args: Any,
    ) -> Collector:
        """One run of a stage over rows; where it ``ends`` not, it counts as cut off."""
        self.limited = limited
        out = out or Collector()
        with Journal.open(self._journal, program="test") as journal:
            journal.begin_run("test")
            main = self._main(journal, rows, using or One("m"), out, replay, batch, args)
            trio.run(main, clock=MockClock(autojump_threshold=0))
            if ends:
                journal.end_run()
        return out

    def _main(
        self,
        journal: Journal,
        rows: Sequence[Row],
        using: graph.Answerer,
        out: Collector,
        replay: bool,
        batch: int,
        args: Mapping[str, Any],
    ) -> Callable[[], Any]:
        async def main() -> None:
            stage = self.stage(self.asker(journal, replay=replay), using, **args)
            batches = [list(rows[at : at + batch]) for at in range(0, len(rows), batch)]
            try:
                with trio.fail_after(100_000):
                    await stage.run(Given(batches), out, {})
            except Unwanted:
                pass
            self.tally = stage.tally

        return main

    def asker(self, journal: Journal, *, replay: bool = False) -> Asker:
        self._gated = {name: self._behind_gate(model) for name, model in self.models.items()}
        self._endpoints = {
            name: Endpoint(model, self.sampling.get(name, {}), self.context)
            for name, model in self._gated.items()
        }
        return Asker(self._endpoints, journal, replay=replay)

    def stage(self, asker: Asker, using: graph.Answerer, **args: Any) -> ask.Ask:
        expressions = Expressions({}, {}, {})

        def sampling(one: One) -> tuple[str, Mapping[str, Any]]:
            given = {name: expressions.constant(value) for name, value in one.options}
            return one.model, {**self._endpoints[one.model].sampling, **given}

        program = ask.Program({"p": self.prompt()}, asker, sampling, self._at_once, Path())
        call = args.pop("prompt", PromptCall("p", (Field("text"),), 0))
        node_args: dict[str, graph.Arg] = {"prompt": call, "using": using, "as": Const("out")}
        node = graph.StageNode("f", "ask", 0, {**node_args, **args}, types.Record(), PLACE)
        context = StageContext("f: ask", expressions, b"salt")
        return ask.build(node, context, program, limited=self.limited)

    def _at_once(self, names: Collection[str]) -> int:
        return 2 * sum(int(self._gated[name].gate.slots.limit) for name in names)

    def prompt(self) -> PromptDef:
        section = Section("user", graph.Template((Local("text"),)))
        params = (types.Field("text", types.STR),)
        return PromptDef("p", params, self.result, (section,), PLACE)

    def _behind_gate(self, model: FakeModel) -> GatedModel:
        options = ModelOptions.model_validate(
            {"url": ["http://127.0.0.1"], "concurrency": self.concurrency}
        )
        return GatedModel(model, Gate(model.name, options))


class Given:
    """Batches as a stage reads them."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = iter(batches)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        await trio.lowlevel.checkpoint()
        for batch in self._batches:
            return batch
        raise StopAsyncIteration


def rows(*texts: str) -> list[Row]:
    return [Row({"text": text}, key_of(text), f"t:{at}") for at, text in enumerate(texts, 1)]


def said(text: str, *, finish: Any = "stop", tokens: int = 0) -> Reply:
    return Reply(text, finish, usage=Usage(1, tokens))
