"""A command over one program: the program's params are options of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dpipe.cli.params import GIVEN, from_file, options_of

PROGRAM = "dpipe.program"
_OPTIONS = "dpipe.options"


class ProgramCommand(click.Command):
    """Compiles the program among its arguments before it reads its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        file = next((arg for arg in args if arg.endswith(".dpipe")), None)
        if file is not None:
            import dpipe
            from dpipe.checking import programs_in

            [program] = programs_in([file])
            ctx.meta[PROGRAM] = compiled = dpipe.compile(program)
            if compiled.graph is not None:
                ctx.meta[_OPTIONS] = options_of(compiled.graph.params, self.params)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *ctx.meta.get(_OPTIONS, ())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [p for p in super().get_params(ctx) if isinstance(p, click.Option)]
        own = [option.get_help_record(ctx) for option in options]
        of_program = [p.get_help_record(ctx) for p in ctx.meta.get(_OPTIONS, ())]
        if of_program:
            with formatter.section("Params of the program"):
                formatter.write_dl([record for record in of_program if record])
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record])


def given_params(ctx: click.Context, pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """The params that a command line gives: options over ``-p n=5`` over a file."""
    values = from_file(file) if file else {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"`{pair}` is not NAME=VALUE", ctx, param_hint="-p")
        values[name] = text
    values.update(ctx.meta.get(GIVEN, {}))
    return values
