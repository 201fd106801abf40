"""``dpipe run``: make the datasets of a program."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpipe.cli import console
from dpipe.cli.live import view
from dpipe.cli.program_command import PROGRAM, ProgramCommand, given_params

if TYPE_CHECKING:
    from dpipe.lang.compile import Compiled
    from dpipe.runtime.events import Listener
    from dpipe.runtime.run import RunResult


@click.command(cls=ProgramCommand, short_help="Make the dataset; goes on where it was stopped.")
@click.argument("file", type=click.Path())
@click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a param.")
@click.option(
    "--params",
    "params_file",
    type=click.Path(path_type=Path),
    help="Set params from a JSON file.",
)
@click.option("--only", multiple=True, metavar="SINK", help="Run only this sink; may be repeated.")
@click.option("--sample", type=int, metavar="N", help="Use only N rows of each source.")
@click.option("--seed", type=int, metavar="N", help="The seed of all chance in the run.")
@click.option("--replay", is_flag=True, help="Call no model: answer from the journal alone.")
@click.option("--max-cost", type=float, metavar="USD", help="Stop before more is spent.")
@click.option("--max-tokens", type=int, metavar="N", help="Stop before more tokens are used.")
@click.option("--within", metavar="TIME", help="Stop after this time: 90s, 30m, 1h30m.")
@click.option(
    "--max-errors", metavar="N|P%", help="Stop when more rows failed, or more of a stage's."
)
@click.option(
    "--canary", type=int, metavar="N", help="Rows that go before the others (20); 0 for none."
)
@click.option(
    "--allow-outside", is_flag=True, default=None, help="Let files outside the project be used."
)
@click.option(
    "--allow-python", is_flag=True, default=None, help="Let the program's own Python run."
)
@click.option(
    "--events", type=click.Path(path_type=Path), help="Write what happens, as JSON lines."
)
@click.option(
    "--progress",
    type=click.Choice(("auto", "live", "plain", "none")),
    help="How to show where the run stands.",
)
@click.option(
    "--format", "style", type=click.Choice(("text", "json")), default="text", help="How to end."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    file: str,
    pairs: tuple[str, ...],
    params_file: Path | None,
    only: tuple[str, ...],
    replay: bool,
    events: Path | None,
    style: str,
    **settings: Any,
) -> int:
    """Run the program FILE: make its datasets.

    `dpipe run FILE --help` lists the program's own params, which are options too. Each reply of a
    model is kept: run again after any stop, and only what is missing is asked.

    Exits 0 where every row is accounted for, 1 where rows were lost to failures, 2 where
    something is missing or wrong, 4 where a budget stopped it, 130 where you did.
    """
    import dpipe
    from dpipe.checking import graph_of
    from dpipe.cli.ending import Examples, as_json, ending
    from dpipe.running import settings_for
    from dpipe.runtime.settings import option_name

    compiled: Compiled = ctx.meta.get(PROGRAM) or dpipe.compile(file)
    params = given_params(ctx, pairs, params_file).of(graph_of(compiled))
    shown = settings_for(compiled, settings, option_name)
    if ctx.color is None:
        console.choose_colour(ctx, shown.color)
    with ExitStack() as watching:
        examples = Examples()
        observers: list[Listener] = [examples, watching.enter_context(view(shown.progress))]
        if events is not None:
            from dpipe.cli.events_file import events_file

            observers.append(watching.enter_context(events_file(events, Path(file))))
        result = dpipe.run(
            compiled, params=params, only=only, replay=replay, observers=observers, **settings
        )
    beside = _writes_rows(compiled)
    if style == "json":
        console.say(as_json(result), err=beside)
    else:
        names = _stand_ins(file, result)
        for line in ending(file, result, examples.kept, names, console.width()):
            console.say(line, err=beside)
    return result.exit_code


def _writes_rows(compiled: Compiled) -> bool:
    """Whether the standard output is for rows, so that all else goes to standard error."""
    from dpipe.lang.graph import SinkNode

    nodes = compiled.graph.nodes if compiled.graph else ()
    return any(isinstance(node, SinkNode) and node.path is None for node in nodes)


def _stand_ins(file: str, result: RunResult) -> list[str]:
    from dpipe.cli.ending import stand_ins
    from dpipe.runtime.record import find_project, read_record

    return stand_ins(read_record(find_project(Path(file)).runs / result.id))
