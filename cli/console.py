"""How things are said: colour, width, and text that cannot harm a terminal."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from dpipe.runtime.errors import UsageError

_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONGEST_LINE = 100
REPORT_TO = "the project's issue tracker"


def escape(text: str) -> str:
    """Text of a row or reply as one harmless line: control characters are shown, not sent."""
    return _CONTROL.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    return _NAMED.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")


def choose_colour(ctx: click.Context, choice: str) -> None:
    """Take ``always`` or ``never`` for this command; ``auto`` leaves it to the stream."""
    if choice != "auto":
        ctx.color = choice == "always"


def has_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to a stream: as chosen, else only on a terminal.

    NO_COLOR and a dumb terminal want none.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.color is not None:
        return ctx.color
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def width() -> int:
    """Columns to write in: the terminal's, at most 100."""
    return min(shutil.get_terminal_size().columns, _LONGEST_LINE)


def say(text: str = "", *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    write(f"{text}\n", stream, color=has_colour(stream))


def write(text: str, stream: TextIO, *, color: bool = True) -> None:
    """Print text as it is; raises ``UsageError`` where the standard output takes no more.

    A reader that went away, or a terminal that was closed, changes nothing: what is left to say
    goes nowhere.
    """
    try:
        click.echo(text, file=stream, nl=False, color=color)
    except OSError as error:
        silence(stream)
        if stream is sys.stdout and error.errno not in (errno.EPIPE, errno.EIO):
            raise output_failed(error) from None


def output_failed(error: OSError) -> UsageError:
    from dpipe.runtime.errors import UsageError

    reason = (error.strerror or str(error)).lower()
    return UsageError(f"cannot write to the standard output: {reason}")


def silence(stream: TextIO) -> None:
    """Let what is written go nowhere, also what the interpreter writes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_closed() -> None:
    """Put nothing in the place of standard streams that were closed before dpipe began.

    So no file that is opened later gets a number that a library prints to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def tell_error(message: str, *, code: str | None = None, hint: str | None = None) -> None:
    """A failure in the shape of a diagnostic: the fact, then the way out."""
    message, hint = _lines(message), hint and _lines(hint)
    head = click.style(f"error[{code}]" if code else "error", fg="red", bold=True)
    say(f"{head}{click.style(f': {message}', bold=True)}", err=True)
    if hint:
        say(f"  {click.style('= help:', fg='cyan')} {hint}", err=True)


def _lines(text: str) -> str:
    """Text of one or more lines, each made harmless."""
    return "\n".join(map(escape, text.split("\n")))


def tell_usage(error: click.UsageError) -> None:
    message = error.format_message().rstrip(".")
    hint = f"`{error.ctx.command_path} --help` tells what it takes" if error.ctx else None
    tell_error(message[:1].lower() + message[1:], hint=hint)


def tell_bug(error: Exception) -> None:
    """Ask for a report; the traceback goes to a file, for it may quote the user's rows."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="dpipe-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    tell_error(
        f"dpipe has a bug: {type(error).__name__}",
        hint=f"what happened is in {file.name}; please send it to {REPORT_TO} with your program",
    )
