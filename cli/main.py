"""``dpipe``: finds the command, and turns what went wrong into a line and an exit code."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click
from click.exceptions import NoArgsIsHelpError

import dpipe
from dpipe.cli import console
from dpipe.cli.program import tell_findings

SECTIONS = {
    "Start with": ("init", "check", "run"),
    "Then": ("test", "fmt", "runs", "cache", "show", "explain"),
}
COMMANDS = tuple(name for names in SECTIONS.values() for name in names)
INTERNAL_ERROR = 3
INTERRUPTED = 130


class Commands(click.Group):
    """The commands by name; each one's module is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dpipe.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.endswith(".dpipe"):
            raise click.UsageError(f"say what to do with it: `dpipe run {name}`", ctx)
        if name not in COMMANDS and not name.startswith("-"):
            raise click.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What there is to do comes before the options of the bare command."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(n, c.get_short_help_str(80)) for n, c in commands if c])


@click.command(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`dpipe COMMAND --help` tells what a command takes.",
)
@click.version_option(dpipe.__version__, "-V", "--version", message="dpipe %(version)s")
@click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    envvar="DPIPE_COLOR",
    help="Whether to colour what is printed.",
)
@click.pass_context
def app(ctx: click.Context, /, color: str) -> None:
    """Make training data for language models from documents.

    A program, a .dpipe file, says where rows come from, what a model is asked about each, which
    answers are kept, and where the dataset goes. It is checked whole before the first call, can
    be stopped at any time, and goes on where it was.
    """
    console.choose_colour(ctx, color)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. What goes wrong is told on standard error."""
    try:
        if args is None:
            console.open_closed()
        code = _run(args)
        if args is None:
            # This process has only to leave, and the code to say how it went.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _run(args: Sequence[str] | None) -> int:
    try:
        return int(app.main(args, prog_name="dpipe", standalone_mode=False) or 0)
    except NoArgsIsHelpError as error:
        console.say(error.format_message())
        return error.exit_code
    except click.UsageError as error:
        console.tell_usage(error)
        return error.exit_code
    except click.ClickException as error:
        console.tell_error(error.format_message())
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    from dpipe.errors import ProgramError
    from dpipe.runtime.errors import DpipeError, Several, UsageError

    if isinstance(error, ProgramError):
        tell_findings(error.result.diagnostics, error.result.sources, sys.stderr)
        return error.exit_code
    if isinstance(error, UsageError):
        for each in error.errors if isinstance(error, Several) else (error,):
            console.tell_error(each.message, code=each.code, hint=each.hint)
        return error.exit_code
    if isinstance(error, DpipeError):
        console.tell_error(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        console.tell_error(f"`{error.filename}`: {(error.strerror or 'cannot be used').lower()}")
        return UsageError.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        console.silence(sys.stdout)
        console.tell_error(console.output_failed(error).message)
        return UsageError.exit_code
    console.tell_bug(error)
    return INTERNAL_ERROR


if __name__ == "__main__":
    sys.exit(main())
