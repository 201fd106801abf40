"""``dpipe explain``: what a diagnostic's code stands for."""

from __future__ import annotations

import click

from dpipe.cli import console


@click.command(short_help="Tell what a diagnostic's code stands for.")
@click.argument("code")
def command(code: str) -> None:
    """Tell what CODE, as in `error[E0306]`, stands for."""
    from dpipe.lang.codes import CODES

    found = CODES.get(code.upper())
    if found is None:
        raise click.BadParameter(f"no diagnostic has the code {code}", param_hint="CODE")
    console.say(f"{click.style(code.upper(), bold=True)} {found.name} ({found.severity})")
    console.say(page_of(code.upper()))


def page_of(code: str) -> str:
    """A code's page without its title: why it is told, an example, and the example mended."""
    from importlib import resources

    page = resources.files("dpipe.lang") / "errors" / f"{code}.md"
    return page.read_text("utf-8").partition("\n")[2].strip()
