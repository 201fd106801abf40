"""What a run would be, told of the graph alone: its models, its tasks with their steps, its lines.

Nothing is opened, called or loaded. Params have their defaults, and what only a run knows is
written as the program has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dpipe.lang import graph
from dpipe.lang.graph import Graph, Node, label_of, prompts_of
from dpipe.runtime.endpoints import models_in
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.flow import BATCH, DEPTH
from dpipe.runtime.known import Known
from dpipe.runtime.models.slots import START
from dpipe.runtime.models.statuses import shown_url
from dpipe.runtime.plan import Edge, choose_sinks, only_looked_at, unbounded, wire
from dpipe.runtime.python import OURS
from dpipe.runtime.sinks.rejects import rejects_paths
from dpipe.runtime.unroll import unroll

_LIMITS = ("rpm", "tpm", "context", "timeout")


def outline(program: Graph) -> Iterator[str]:
    """The plan of a run of all sinks, line by line.

    ``+`` is a step, which runs in the task above it, ``>`` a line into another task. Raises
    ``UsageError`` where there is no plan: no sink, or a loop of which nobody knows how often.
    """
    known = Known(program)
    return _Outline(unroll(program, known.value), known).lines()


class _Outline:
    """The lines of an unrolled program."""

    def __init__(self, program: Graph, known: Known) -> None:
        self.program = program
        self.known = known
        self.wiring = wire(program, choose_sinks(program, ()))
        self.steps = [at for at in self.wiring.nodes if known.is_step(program.nodes[at])]
        self.unbounded = unbounded(program, self.wiring, self.steps)
        self.rejects = self._rejects()

    def lines(self) -> Iterator[str]:
        yield f"lines of {DEPTH} batches, batches of {BATCH} rows"
        used = {name for at in self.wiring.nodes for name in models_in(self.program.nodes[at])}
        for name, model in self.program.models.items():
            if name in used:
                yield f"model {name}: {self._model(model)}"
        for at in self.wiring.nodes:
            if at not in self.steps:
                yield ""
                yield f"{_kind(self.program.nodes[at])} {self._told(at)}"
                yield from self._onward(at, "  ")

    def _model(self, model: graph.ModelDef) -> str:
        options = dict(model.options)
        told = [f"{model.kind} {self.known.shown(model.id)}"]
        if "url" in options:
            told.append(f"at {self._url(options['url'])}")
        if "concurrency" in options:
            told.append(f"concurrency {self.known.shown(options['concurrency'])}")
        else:
            told.append(f"concurrency from {START} on, as it answers")
        told += [f"{name} {self.known.shown(options[name])}" for name in _LIMITS if name in options]
        return ", ".join(told)

    def _url(self, expr: graph.Expr) -> str:
        """An address without what may be secret in it."""
        try:
            value = self.known.value(expr)
        except (NoValue, UsageError):
            return self.known.shown(expr)
        urls = value if isinstance(value, list) else [value]
        return ", ".join(shown_url(url) if "://" in url else url for url in urls)

    # -- where rows go ---------------------------------------------------------------------------

    def _onward(self, at: int, indent: str) -> Iterator[str]:
        """Where the rows of a node go: through steps, which run in the same task, into lines."""
        edges = self.wiring.readers[at]
        teed = len(edges) > 1
        for place, edge in enumerate(edges):
            marks = self._marks(edge, takes_rejects=teed and place == self.wiring.rejects_to[at])
            if edge.reader in self.steps:
                yield f"{indent}+ {self._told(edge.reader)}{marks}"
                yield from self._onward(edge.reader, indent + "  " * teed)
            else:
                yield f"{indent}> {label_of(self.program.nodes[edge.reader])}{marks}"

    def _marks(self, edge: Edge, *, takes_rejects: bool) -> str:
        told = {
            "only looked at": only_looked_at(self.program.nodes[edge.reader], edge.slot),
            "without bound": edge in self.unbounded,
            "with the rejects": takes_rejects,
        }
        marks = ", ".join(mark for mark, holds in told.items() if holds)
        return f" ({marks})" if marks else ""

    # -- nodes -----------------------------------------------------------------------------------

    def _told(self, at: int) -> str:
        node = self.program.nodes[at]
        details = self._details(node)
        return f"{label_of(node)} = {details}" if details else label_of(node)

    def _details(self, node: Node) -> str:
        match node:
            case graph.SourceNode(target=target, args=args):
                given = ", ".join(f"{name}: {self.known.shown(arg)}" for name, arg in args.items())
                return f"{_python(target)}({given})"
            case graph.SinkNode(name=name, target=target, path=path):
                where = f" to {self.known.template(path)}" if path is not None else ""
                return f"{_python(target)}{where}, rejects to {self.rejects[name].as_posix()}"
            case graph.StageNode():
                prompts = " or ".join(dict.fromkeys(prompts_of(node)))
                models = ", ".join(dict.fromkeys(models_in(node)))
                return " by ".join(part for part in (prompts, models) if part)
            case _:
                return ""

    def _rejects(self) -> dict[str, Path]:
        """Where the rejects of each sink go, as seen from the program's folder."""
        sinks = [n for n in self.program.nodes if isinstance(n, graph.SinkNode)]
        paths = {sink.name: self.known.template(sink.path) for sink in sinks if sink.path}
        parted = {sink.name for sink in sinks if sink.partition or sink.path is None}
        before = {name: paths.get(name, "").partition("{")[0] for name in parted}
        folders = {name: Path(f"{text}x").parent for name, text in before.items()}
        files = {name: Path(path) for name, path in paths.items() if name not in parted}
        return rejects_paths(files, folders)


def _kind(node: Node) -> str:
    match node:
        case graph.SourceNode():
            return "source"
        case graph.SinkNode():
            return "sink"
        case _:
            return "task"


def _python(target: str) -> str:
    """The name of a reader or writer; of a user's, where it stands."""
    module = target.rpartition(":")[0]
    return module.rpartition(".")[2] if target.startswith(OURS) else f'python("{target}")'
