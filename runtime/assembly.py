"""Every node of a program as the part that runs it, made before the first call of a model.

What the user must mend comes out here as a ``UsageError``: missing inputs, outputs in the way of
inputs, settings without sense, variables that are not set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from dpipe.lang import graph
from dpipe.lang.graph import (
    CheckNode,
    ConcatNode,
    Graph,
    LeaveNode,
    RoundNode,
    SinkNode,
    SourceNode,
    StageNode,
    label_of,
)
from dpipe.runtime import content
from dpipe.runtime.ahead import Ahead, Stepping, in_turn
from dpipe.runtime.asking import Answering
from dpipe.runtime.endpoints import models_in
from dpipe.runtime.errors import Mishaps, NoValue, UsageError
from dpipe.runtime.executor import Check, Concat, Feed, Part, Sink
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.figures import Vectors
from dpipe.runtime.fit import fitter
from dpipe.runtime.paths import would_find
from dpipe.runtime.places import (
    SinkPath,
    all_written,
    check_next_run,
    check_sinks,
    check_sources,
    folder_of,
    sink_path,
)
from dpipe.runtime.plan import Wiring
from dpipe.runtime.python import OURS, file_of, load
from dpipe.runtime.record import Project
from dpipe.runtime.settings import FILE, Settings
from dpipe.runtime.sources.base import Context, Source, open_source
from dpipe.runtime.stages import STAGES, ask, loop
from dpipe.runtime.stages.base import Step, Task
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.trust import targets
from dpipe.runtime.writing import Told, Writing

SCRIPTED = "scripted:"


class Frame(Struct, frozen=True):
    """What everything in a run is made from."""

    program: Graph
    wiring: Wiring
    params: Mapping[str, Any]
    expressions: Expressions
    project: Project
    settings: Settings

    @property
    def name(self) -> str:
        """The program's place in its project, by which its runs know each other."""
        return os.path.relpath(Path(self.program.file).absolute(), self.project.root)

    def nodes(self) -> Iterator[tuple[int, graph.Node]]:
        return ((index, self.program.nodes[index]) for index in self.wiring.nodes)


class Inputs(Struct, frozen=True):
    """The opened sources by their nodes, and where the sinks that write files will by theirs.

    ``rejects`` are those of all sinks, by name.
    """

    sources: Mapping[int, Source]
    sinks: Mapping[int, SinkPath]
    rejects: Mapping[str, Path] = {}


def open_inputs(frame: Frame, spared: Mapping[Path, str] | None = None) -> Inputs:
    """Find all that is read, and see that nothing of it is written.

    Of what is read no more is looked at than its columns, for what is declared and lacks there.

    ``spared`` are other files that are not to be written over, and what each is.
    """
    sources: dict[int, Source] = {}
    files: dict[str, tuple[Path, ...]] = {}
    finders: dict[str, Callable[[Path], bool]] = {}
    sinks: dict[int, SinkPath] = {}
    outputs: dict[str, SinkPath | Path] = {}
    mishaps = Mishaps()
    for index, node in frame.nodes():
        if isinstance(node, SourceNode):
            with mishaps.noted():
                sources[index] = _source(node, frame)
                files[node.name] = sources[index].files
                finders[node.name] = _finder(node, frame, files[node.name])
        elif isinstance(node, SinkNode):
            folder = getattr(load(node.target), "FOLDER", False)
            if path := sink_path(node, frame.expressions, folder=folder):
                sinks[index] = path
            outputs[node.name] = path or folder_of(node)
    mishaps.tell()
    allowed = frame.settings.allow_outside
    written = all_written(outputs)
    read = {file: f"which source `{name}` reads" for name in files for file in files[name]}
    check_sources(files, frame.project.root, allow_outside=allowed)
    check_sinks(
        written,
        {**(spared or {}), **dict(_own_files(frame)), **read},
        frame.project.root,
        allow_outside=allowed,
    )
    check_next_run(sinks.values(), finders)
    return Inputs(sources, sinks, {each.sink: each.rejects for each in written})


def _finder(node: SourceNode, frame: Frame, files: Collection[Path]) -> Callable[[Path], bool]:
    """Whether a source would read a file, were it there; of a user's Python nobody knows."""
    is_ours = node.target.startswith(OURS) and "path" in node.args
    path = frame.expressions.constant(node.args["path"]) if is_ours else []
    paths = [path] if isinstance(path, str) else path
    base, suffixes = folder_of(node), {file.suffix.lower() for file in files}
    return lambda file: any(would_find(one, base, suffixes, file) for one in paths)


def _own_files(frame: Frame) -> Iterator[tuple[Path, str]]:
    """The files that the program is made of, or names, beside what it reads as rows."""
    yield Path(frame.program.file).absolute(), "which is the program"
    yield frame.project.root / FILE, "which holds the project's settings"
    for target in targets(frame.program):
        if file := file_of(target):
            yield file.absolute(), "the program's Python"
    for name, model in frame.program.models.items():
        if script := _script(model, frame.expressions):
            yield script, f"which holds the answers of model `{name}`"


def _script(model: graph.ModelDef, expressions: Expressions) -> Path | None:
    """The file of a ``scripted:`` model; None of any other, or where its URL is not known."""
    url = dict(model.options).get("url")
    try:
        value = expressions.constant(url) if url else None
    except (NoValue, UsageError):
        return None
    if not isinstance(value, str) or not value.startswith(SCRIPTED) or "\0" in value:
        return None
    return Path(model.place.file).absolute().parent / value.removeprefix(SCRIPTED)


def _source(node: SourceNode, frame: Frame) -> Source:
    args = {name: frame.expressions.constant(value) for name, value in node.args.items()}
    context = Context(node.name, folder_of(node), frame.project.root)
    try:
        source = open_source(load(node.target), args, context, node.row if node.declared else None)
        if frame.settings.canary:
            source.refuse_missing()
        return source
    except UsageError as error:
        message = f"source `{node.name}`: {error.message}"
        raise UsageError(message, code=error.code, hint=error.hint) from None


def models_used(frame: Frame) -> list[str]:
    """The models that the run's nodes ask, in the order of the program."""
    used = {name for _, node in frame.nodes() for name in models_in(node)}
    return [name for name in frame.program.models if name in used]


class Models(Struct, frozen=True):
    """Who is asked, and through what; ``sampling`` and ``at_once`` are those of ``ask.Program``."""

    asker: Answering
    sampling: Callable[[graph.One], tuple[str, Mapping[str, Any]]]
    at_once: Callable[[Collection[str]], int]
    vectors: Vectors


def assemble(frame: Frame, inputs: Inputs, models: Models, told: Told) -> dict[int, Part]:
    """The part of each node."""
    return {index: _part(index, node, frame, inputs, models, told) for index, node in frame.nodes()}


def _part(
    index: int, node: graph.Node, frame: Frame, inputs: Inputs, models: Models, told: Told
) -> Part:
    match node:
        case SourceNode():
            return Feed(inputs.sources[index], frame.settings.sample)
        case ConcatNode():
            return Concat()
        case CheckNode():
            return Check(label_of(node), fitter(node.row))
        case SinkNode():
            writing = Writing(
                node,
                frame.expressions,
                models.vectors,
                told,
                seed=frame.settings.seed,
                publishes=not frame.settings.sample,
            )
            return _asked_ahead(index, node, frame, writing)
        case RoundNode():
            stage = loop.as_stage(node)
            context = _context(stage, frame, models)
            return _asked_ahead(index, stage, frame, loop.build_round(stage, context), context)
        case LeaveNode():
            return loop.build_leave(node)
        case StageNode():
            context = _context(node, frame, models)
            built = _stage(index, node, frame, models, context)
            return _asked_ahead(index, node, frame, built, context)
        case _:
            raise TypeError(f"not a node of an unrolled graph: {node!r}")


def _context(node: StageNode, frame: Frame, models: Models) -> StageContext:
    known = content.Program(frame.program.defs, frame.params)
    salt = content.salt_of(frame.settings.seed, node, known)
    return StageContext(label_of(node), frame.expressions, salt, models.vectors)


def _asked_ahead(
    index: int,
    node: StageNode | SinkNode,
    frame: Frame,
    part: Step | Task | Sink,
    context: StageContext | None = None,
) -> Part:
    """The part; before it, where it calls Python that is waited for, what asks that."""
    if not frame.expressions.waits(node):
        return part
    foresee = getattr(part, "foresee", None) or in_turn(context.waiting if context else ())
    if isinstance(part, Step):
        part = Stepping(part, carries=index in frame.wiring.carrying)
    limited = index in frame.wiring.above_limits
    return Ahead(part, foresee, frame.expressions.functions, limited=limited)


def _stage(
    index: int, node: StageNode, frame: Frame, models: Models, context: StageContext
) -> Step | Task:
    if node.stage == "ask":
        limited = index in frame.wiring.above_limits
        return ask.build(node, context, _asking(frame, models), limited=limited)
    if node.stage not in STAGES:
        raise UsageError(f"{node.place}: the stage `{node.stage}` cannot be run yet")
    return STAGES[node.stage](node, context)


def _asking(frame: Frame, models: Models) -> ask.Program:
    return ask.Program(
        frame.program.prompts,
        models.asker,
        models.sampling,
        models.at_once,
        frame.project.root,
    )
