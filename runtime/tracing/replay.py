"""A run gone through again from the journal, watched; its outputs go to a folder of their own.

No model is called, and nothing of the project is written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio
from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import graph
from dpipe.runtime.ahead import Ahead
from dpipe.runtime.asking import Asker
from dpipe.runtime.assembly import Frame, Inputs, Models, assemble
from dpipe.runtime.embedding import Embeddings
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.events import NodeCount
from dpipe.runtime.executor import Executor, Part, unwrapped
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.journal import Journal
from dpipe.runtime.places import SinkPath
from dpipe.runtime.python import load
from dpipe.runtime.tracing.parts import Overheard, traced
from dpipe.runtime.tracing.sinks import Heeded, TracedSink, below, moved
from dpipe.runtime.tracing.watching import Trace
from dpipe.runtime.values import Values
from dpipe.runtime.writing import Writing

LOOK = 0.25
"""Seconds between two looks at how far it is."""

Heard = Callable[[tuple[NodeCount, ...]], None]


class Replay(Struct, frozen=True):
    """A run to go through: its frame, inputs, journal and models, and a folder to write into."""

    frame: Frame
    inputs: Inputs
    journal: Journal
    endpoints: Endpoints
    folder: Path
    heard: Heard

    async def through(self, trace: Trace) -> None:
        """Go through all of it; raises ``UsageError`` as a run does."""
        parts = {at: self._part(at, node, trace) for at, node in self.frame.nodes()}
        executor = Executor(self.frame.program, self.frame.wiring, parts)
        with unwrapped():
            await executor.run([lambda: self._tell(executor)])

    def _part(self, at: int, node: graph.Node, trace: Trace) -> Part:
        asker = Asker(self.endpoints.asked, self.journal, replay=True)
        embeddings = Embeddings(self.endpoints.embedder, self.journal, replay=True)
        heard = Overheard(asker, at, trace)
        models = Models(heard, self.endpoints.sampling, self.endpoints.at_once, embeddings.vectors)
        alone = replace(self.frame, wiring=replace(self.frame.wiring, nodes=(at,)))
        told = Heeded()
        part = assemble(alone, self.inputs, models, told)[at]
        if not isinstance(node, graph.SinkNode):
            return traced(at, node, part, trace)
        if not isinstance(part, Ahead):
            return self._sink(at, node, part, told, trace)
        part.inner = self._sink(at, node, part.inner, told, trace)
        return part

    def _sink(
        self, at: int, node: graph.SinkNode, writing: Any, told: Heeded, trace: Trace
    ) -> TracedSink:
        assert isinstance(writing, Writing)
        path = self.inputs.sinks.get(at) or _unseen(node, self.folder)
        rejects = below(self.folder, self.inputs.rejects[node.name])
        writing.open(moved(path, self.folder), rejects, [], None, set())
        in_folder = _in_folder(node, self.frame.expressions)
        return TracedSink(at, writing, told, path, trace, in_folder)

    async def _tell(self, executor: Executor) -> None:
        while True:
            await trio.sleep(LOOK)
            self.heard(executor.counts())


def _in_folder(sink: graph.SinkNode, expressions: Expressions) -> Callable[[Values], str] | None:
    """Which file of its folder a row goes to, of a sink that has one."""
    file_of = getattr(load(sink.target), "file_of", None)
    options = {name: expressions.constant(value) for name, value in sink.options}
    return partial(file_of, **options) if file_of else None


def _unseen(sink: graph.SinkNode, folder: Path) -> SinkPath:
    """A file for what went to the standard output."""
    file = folder / f"{sink.name}.stdout"
    return SinkPath(sink.name, (), lambda values: file, file, frozenset([file]))
