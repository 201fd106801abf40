"""A command over one program: the program's params are options of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from dpipe.cli.params import GIVEN, from_file, options_of

if TYPE_CHECKING:
    from dpipe.lang.graph import Graph

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


class Given(Struct, frozen=True):
    """The params that a command line gives: typed ``values`` of a file, and what is over them.

    ``options`` are texts, or true and false of a flag.
    """

    values: Mapping[str, Any]
    options: Mapping[str, Any]

    def of(self, program: Graph) -> dict[str, Any]:
        """The values for a program, texts read by the declared types; raises ``UsageError``."""
        from dpipe.runtime.plan import param_from_text

        declared = {param.name: param for param in program.params}
        read = {
            name: param_from_text(declared[name], value)
            for name, value in self.options.items()
            if name in declared and isinstance(value, str)
        }
        return {**self.values, **self.options, **read}


def given_params(ctx: click.Context, pairs: Sequence[str], file: Path | None) -> Given:
    """What a command line gives, as ``--n 5`` or ``-p n=5``, once each, over a file."""
    options = dict(ctx.meta.get(GIVEN, {}))
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"`{pair}` is not NAME=VALUE", ctx, param_hint="-p")
        if name in options:
            raise click.UsageError(f"param `{name}` is given twice", ctx)
        options[name] = text
    return Given(from_file(file) if file else {}, options)
