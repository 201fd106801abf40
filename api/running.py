"""Running a program from Python: from a script, a notebook, or a trio program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import trio

from dpipe import __version__, project
from dpipe.beside import run_beside
from dpipe.checking import compile, graph_of
from dpipe.lang.compile import Compiled
from dpipe.runtime.events import Listener
from dpipe.runtime.record import find_project
from dpipe.runtime.run import RunOptions, RunResult, run_graph
from dpipe.runtime.settings import Settings, load_settings


def run(
    program: str | Path | Compiled,
    *,
    params: Mapping[str, Any] | None = None,
    only: Iterable[str] = (),
    replay: bool = False,
    observers: Iterable[Listener] = (),
    **settings: Any,
) -> RunResult:
    """Run a program and give what became of its rows.

    ``only`` names sinks; ``replay`` answers from the journal alone; ``settings`` are those of
    ``dpipe.toml`` (``sample=10``, ``seed=1``, …). Observers are called with each event, and must
    not wait.

    Raises ``ProgramError`` where the program has errors, ``UsageError`` for whatever else the
    user must mend. A lost row raises nothing: see ``exit_code`` and ``rejects`` of the result,
    and so does a Ctrl-C (or SIGTERM): the first one ends the run cleanly, a second one the process.
    """
    if trio.lowlevel.in_trio_run():
        raise RuntimeError("a trio program is running: write `await dpipe.run_async(…)`")
    beside = _asyncio_runs()
    compiled = _compiled(program)
    options = _options(compiled, params, only, replay, settings, signals=not beside)
    work = partial(run_graph, graph_of(compiled), options, tuple(observers))
    return run_beside(work) if beside else trio.run(work)


async def run_async(
    program: str | Path | Compiled,
    *,
    params: Mapping[str, Any] | None = None,
    only: Iterable[str] = (),
    replay: bool = False,
    observers: Iterable[Listener] = (),
    **settings: Any,
) -> RunResult:
    """As ``run``, inside a trio program; cancelled with the scope around it."""
    if not trio.lowlevel.in_trio_task():
        raise RuntimeError("`run_async` needs trio; beside an asyncio loop, call `dpipe.run(…)`")
    compiled = _compiled(program)
    options = _options(compiled, params, only, replay, settings)
    return await run_graph(graph_of(compiled), options, tuple(observers))


def _compiled(program: str | Path | Compiled) -> Compiled:
    return program if isinstance(program, Compiled) else compile(program)


def _options(
    compiled: Compiled,
    params: Mapping[str, Any] | None,
    only: Iterable[str],
    replay: bool,
    settings: Mapping[str, Any],
    *,
    signals: bool = False,
) -> RunOptions:
    return RunOptions(
        params=params or {},
        only=tuple(only),
        settings=settings_for(compiled, settings),
        environ=project.environment(),
        modules={name: source.text for name, source in compiled.sources.items()},
        version=__version__,
        replay=replay,
        signals=signals,
    )


def settings_for(
    compiled: Compiled, given: Mapping[str, Any], written: Callable[[str], str] = str
) -> Settings:
    """The settings of a run: those given, over the environment, over the project's file.

    ``written`` is how whoever gave them writes their names.
    """
    root = find_project(Path(graph_of(compiled).file)).root
    return load_settings(root, project.environment(), given, written)


def _asyncio_runs() -> bool:
    """Whether an asyncio loop runs in this thread, as in a notebook; never imports asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None
