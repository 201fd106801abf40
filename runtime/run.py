"""A program's run from beginning to end: what ``dpipe run`` does, without printing a word."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio
from msgspec import Struct

from dpipe.lang.graph import Graph
from dpipe.runtime.asking import Asker
from dpipe.runtime.assembly import (
    Frame,
    Inputs,
    Models,
    assemble,
    models_used,
    open_inputs,
)
from dpipe.runtime.embedding import Embeddings
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.errors import UsageError
from dpipe.runtime.events import (
    Listener,
    ModelCount,
    NodeCount,
    Observers,
    Progress,
    RowRejected,
    RunEnded,
    RunStarted,
    SinkWritten,
    Status,
)
from dpipe.runtime.executor import Executor, Feed, Part, unwrapped
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.journal import Journal
from dpipe.runtime.locks import hold_outputs
from dpipe.runtime.paths import display
from dpipe.runtime.plan import bind_params, choose_sinks, wire
from dpipe.runtime.record import find_project, list_runs
from dpipe.runtime.recorder import RunFolder
from dpipe.runtime.settings import Settings
from dpipe.runtime.sinks.rejects import rejects_paths
from dpipe.runtime.values import Reject
from dpipe.runtime.writing import Writing

PROGRESS = 0.25
"""Seconds between two looks at where the run stands."""

_EXIT_CODES: Mapping[Status, int] = {
    "done": 0,
    "rows lost": 1,
    "failed": 2,
    "stopped": 4,
    "interrupted": 130,
}


class RunOptions(Struct, frozen=True):
    """How to run a program.

    ``params`` are values, or texts as of a command line; ``only`` names sinks. ``modules`` are
    the texts of the program's files by their names, and ``version`` is dpipe's: for the record.
    """

    params: Mapping[str, Any] = {}
    only: tuple[str, ...] = ()
    settings: Settings = Settings.model_validate({})
    environ: Mapping[str, str] = {}
    modules: Mapping[str, str] = {}
    version: str = ""
    replay: bool = False


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


def run(program: Graph, options: RunOptions, observers: Sequence[Listener] = ()) -> RunResult:
    """``run_graph`` for those who have no trio."""
    return trio.run(run_graph, program, options, observers)


async def run_graph(
    program: Graph, options: RunOptions, observers: Sequence[Listener] = ()
) -> RunResult:
    """Run a program; its files are complete, or lie beside as ``.partial``.

    Raises ``UsageError`` for what the user must mend, mostly before the first call. Ctrl-C ends
    the run cleanly, with a result that says so.
    """
    frame = _frame(program, options)
    inputs = open_inputs(frame)
    watch = Watch(frame.project.root, observers)
    endpoints = Endpoints(
        program,
        models_used(frame),
        frame.expressions,
        tell=watch.tell,
        clock=watch.elapsed,
        seed=frame.settings.seed,
    )
    frame.project.prepare()
    with ExitStack() as held:
        outputs = [path.shown for path in inputs.sinks.values()]
        held.enter_context(hold_outputs(frame.project.locks, outputs))
        journal = held.enter_context(Journal.open(frame.project.journal, program=_name(frame)))
        asker = Asker(endpoints.asked, journal, replay=options.replay)
        embeddings = Embeddings(endpoints.embedder, journal, replay=options.replay)
        parts = assemble(frame, inputs, Models(endpoints, asker, embeddings), watch)
        folder = held.enter_context(_record(frame, options, endpoints))
        watch.tell.add(folder)
        try:
            course = Course(folder.id, frame, inputs, parts, watch, journal, asker, endpoints)
            return await course.run()
        finally:
            await endpoints.close()


def _frame(program: Graph, options: RunOptions) -> Frame:
    params = bind_params(program, options.params, options.environ)
    sinks = choose_sinks(program, options.only)
    expressions = Expressions(program.defs, params, options.environ)
    project = find_project(Path(program.file))
    return Frame(program, wire(program, sinks), params, expressions, project, options.settings)


def _name(frame: Frame) -> str:
    """The program's place in its project, by which its runs know each other."""
    return os.path.relpath(Path(frame.program.file).absolute(), frame.project.root)


def _record(frame: Frame, options: RunOptions, endpoints: Endpoints) -> RunFolder:
    return RunFolder.begin(
        frame.project,
        program=Path(frame.program.file),
        modules=options.modules,
        params=frame.params,
        settings=frame.settings,
        models=endpoints.described,
        version=options.version,
    )


class Watch:
    """Tells whoever listens what happens in a run, and when."""

    def __init__(self, root: Path, observers: Sequence[Listener]) -> None:
        self.tell = Observers(*observers)
        self._root = root
        self._began = trio.current_time()

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return trio.current_time() - self._began

    def shown(self, path: Path) -> str:
        return display(path, self._root)

    def rejected(self, reject: Reject) -> None:
        self.tell(
            RowRejected(
                elapsed=self.elapsed(),
                stage=reject.stage,
                outcome=reject.outcome,
                message=reject.message,
                place=reject.place,
            )
        )

    def written(self, path: Path, rows: int) -> None:
        self.tell(SinkWritten(elapsed=self.elapsed(), path=self.shown(path), rows=rows))


class Course(Struct, frozen=True):
    """A run with everything in its place."""

    id: str
    frame: Frame
    inputs: Inputs
    parts: Mapping[int, Part]
    watch: Watch
    journal: Journal
    asker: Asker
    endpoints: Endpoints

    async def run(self) -> RunResult:
        self.journal.begin_run(self.id)
        executor = Executor(self.frame.program, self.frame.wiring, self.parts)
        self._open_outputs()
        self._tell_start()
        try:
            with unwrapped():
                await executor.run([self.journal.serve, lambda: self._progress(executor)])
        except KeyboardInterrupt:
            return self._end(executor, "interrupted", "interrupted; run it again to go on")
        except UsageError as error:
            self._end(executor, "failed", error.message)
            raise
        finally:
            for writing in self._writings():
                writing.abandon()
        self.journal.end_run()
        return self._ended(executor)

    def _writings(self) -> Iterator[Writing]:
        return (part for part in self.parts.values() if isinstance(part, Writing))

    def _open_outputs(self) -> None:
        """Begin the files of every sink: from here on there are partial ones."""
        sinks = self.inputs.sinks
        single = {path.sink: path.shown for path in sinks.values() if not path.fields}
        folders = {path.sink: path.folder for path in sinks.values() if path.fields}
        rejects = rejects_paths(single, folders)
        earlier = self._earlier_outputs() if folders else []
        for index, path in sinks.items():
            writing = self.parts[index]
            assert isinstance(writing, Writing)
            previous = [file for file in earlier if path.fields and path.writes(file)]
            writing.open(path, rejects[path.sink], previous)

    def _earlier_outputs(self) -> list[Path]:
        """The files that the program's last complete run wrote."""
        name = _name(self.frame)
        for run in reversed(list_runs(self.frame.project)):
            if run.record and run.record.program == name and run.result and run.result.sinks:
                return [self.frame.project.root / path for path in run.result.sinks]
        return []

    async def _progress(self, executor: Executor) -> None:
        """Tell where the run stands, and make its partial files readable, now and then."""
        while True:
            await trio.sleep(PROGRESS)
            for writing in self._writings():
                writing.flush()
            self.watch.tell(
                Progress(
                    elapsed=self.watch.elapsed(),
                    nodes=executor.counts(),
                    models=self.endpoints.counts(),
                    share=self._share(),
                )
            )

    def _share(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None where a source cannot tell."""
        shares = [part.share for part in self.parts.values() if isinstance(part, Feed)]
        known = [share for share in shares if share is not None]
        return sum(known) / len(known) if known and len(known) == len(shares) else None

    def _tell_start(self) -> None:
        self.watch.tell(
            RunStarted(
                elapsed=0.0,
                id=self.id,
                program=self.frame.program.file,
                params=self.frame.params,
                sinks=tuple(self.watch.shown(path.shown) for path in self.inputs.sinks.values()),
            )
        )

    def _ended(self, executor: Executor) -> RunResult:
        """The result of a run that came to its end."""
        feeds = [part for part in self.parts.values() if isinstance(part, Feed)]
        empty = not any(feed.tally.entered for feed in feeds)
        message = "the sources gave no rows, so the outputs are empty" if empty else None
        lost = any(
            reason.startswith("failed:") for node in executor.counts() for reason in node.reasons
        )
        return self._end(executor, "rows lost" if lost else "done", message)

    def _end(self, executor: Executor, status: Status, message: str | None) -> RunResult:
        elapsed, nodes, models = (
            self.watch.elapsed(),
            executor.counts(),
            self.endpoints.counts(),
        )
        self.watch.tell(
            RunEnded(
                elapsed=elapsed,
                status=status,
                exit_code=_EXIT_CODES[status],
                nodes=nodes,
                models=models,
                message=message,
            )
        )
        return RunResult(
            id=self.id,
            status=status,
            exit_code=_EXIT_CODES[status],
            message=message,
            nodes=nodes,
            models=models,
            outputs=tuple(
                OutputFile(writing.label, self.watch.shown(path), rows)
                for writing in self._writings()
                for path, rows in writing.files.items()
            ),
            rejects={
                self.watch.shown(writing.rejects.path): writing.rejected
                for writing in self._writings()
                if writing.rejects and writing.rejected
            },
            recalled=self.asker.recalls,
            seconds=elapsed,
        )
