"""A program's run from beginning to end: what ``dpipe run`` does, without printing a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import trio
from msgspec import Struct

from dpipe.lang.graph import Graph
from dpipe.runtime.asking import Asker
from dpipe.runtime.assembly import Frame, Models, assemble, models_used, open_inputs
from dpipe.runtime.budget import Budget
from dpipe.runtime.course import Course, Watch
from dpipe.runtime.embedding import Embeddings
from dpipe.runtime.endpoints import Endpoints
from dpipe.runtime.errors import Mishaps
from dpipe.runtime.events import EventsFile, Listener
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.heap import settled_heap
from dpipe.runtime.journal import Journal
from dpipe.runtime.kept import Kept
from dpipe.runtime.locks import hold_journal, hold_outputs
from dpipe.runtime.losses import Losses
from dpipe.runtime.plan import bind_params, choose_sinks, wire
from dpipe.runtime.record import find_project
from dpipe.runtime.recorder import RunFolder
from dpipe.runtime.result import RunResult as RunResult
from dpipe.runtime.settings import Settings
from dpipe.runtime.trust import check_trust
from dpipe.runtime.unroll import unroll
from dpipe.runtime.values import key_of


class RunOptions(Struct, frozen=True):
    """How to run a program.

    ``params`` are values of the declared types; ``only`` names sinks. ``modules`` are
    the texts of the program's files by their names, and ``version`` is dpipe's: for the record.
    With ``signals`` a SIGINT or SIGTERM ends the run cleanly, and a second one the process.
    """

    params: Mapping[str, Any] = {}
    only: tuple[str, ...] = ()
    settings: Settings = Settings.model_validate({})
    environ: Mapping[str, str] = {}
    modules: Mapping[str, str] = {}
    version: str = ""
    replay: bool = False
    signals: bool = False


def run(program: Graph, options: RunOptions, observers: Sequence[Listener] = ()) -> RunResult:
    """``run_graph`` for those who have no trio."""
    return trio.run(run_graph, program, options, observers)


async def run_graph(
    program: Graph, options: RunOptions, observers: Sequence[Listener] = ()
) -> RunResult:
    """Run a program; its files are complete, or lie beside as ``.partial``.

    Raises ``UsageError`` for what the user must mend, mostly before the first call. A budget or
    a Ctrl-C ends the run cleanly, with a result that says so.
    """
    frame = frame_of(program, options)
    mishaps = Mishaps()
    with mishaps.noted():
        inputs = open_inputs(frame, _spared(options, observers))
    watch = Watch(frame.project.root, observers, Losses(frame.wiring.above_limits))
    budget = Budget(frame.settings.max_cost, frame.settings.max_tokens)
    with mishaps.noted():
        endpoints = Endpoints(
            program,
            models_used(frame),
            frame.expressions,
            tell=watch.tell,
            clock=watch.elapsed,
            budget=budget,
            seed=frame.settings.seed,
            replay=options.replay,
        )
    mishaps.tell()
    frame.project.prepare()
    with ExitStack() as held:
        outputs = [path.shown for path in inputs.sinks.values()]
        held.enter_context(hold_outputs(frame.project.locks, outputs))
        held.enter_context(hold_journal(frame.project.locks))
        journal = held.enter_context(Journal.open(frame.project.journal, program=frame.name))
        asker = Asker(endpoints.asked, journal, replay=options.replay)
        frame.expressions.functions.keeping = Kept(
            journal, frame.project.root, replay=options.replay
        )
        embeddings = Embeddings(endpoints.embedder, journal, replay=options.replay)
        models = Models(asker, endpoints.sampling, endpoints.at_once, embeddings.vectors)
        parts = assemble(frame, inputs, models, watch)
        folder = held.enter_context(_record(frame, options, endpoints))
        watch.tell.add(folder)
        held.enter_context(settled_heap())
        try:
            course = Course(
                folder.id,
                _variant(frame, options),
                frame,
                inputs,
                parts,
                watch,
                journal,
                asker,
                endpoints,
                budget,
            )
            canary = 0 if options.replay else frame.settings.canary
            return await course.run(signals=options.signals, canary=canary)
        finally:
            await endpoints.close()


def frame_of(program: Graph, options: RunOptions) -> Frame:
    """The program as it is to run; raises ``UsageError`` before anything of it is evaluated where
    it runs Python without leave."""
    project = find_project(Path(program.file))
    check_trust(program, options.settings, project.root)
    params = bind_params(program, options.params, options.environ)
    expressions = Expressions(program.defs, params, options.environ)
    program = unroll(program, expressions.constant)
    sinks = choose_sinks(program, options.only)
    return Frame(program, wire(program, sinks), params, expressions, project, options.settings)


def _spared(options: RunOptions, observers: Sequence[Listener]) -> dict[Path, str]:
    """Files of the run that no sink may write over, and what each is."""
    program = {Path(name).absolute(): "a file of the program" for name in options.modules}
    events = [each.path.absolute() for each in observers if isinstance(each, EventsFile)]
    return {**program, **dict.fromkeys(events, "where the run's events go")}


def _variant(frame: Frame, options: RunOptions) -> bytes:
    """What tells a program's runs apart by the datasets that they make."""
    settings = frame.settings
    meant = (frame.params, sorted(options.only), settings.sample, settings.seed)
    return key_of("variant", repr(msgspec.to_builtins(meant, enc_hook=str, str_keys=True)))


def _record(frame: Frame, options: RunOptions, endpoints: Endpoints) -> RunFolder:
    return RunFolder.begin(
        frame.project,
        program=Path(frame.program.file),
        modules=options.modules,
        params=frame.params,
        settings=frame.settings,
        models=endpoints.described,
        version=options.version,
        only=options.only,
    )
