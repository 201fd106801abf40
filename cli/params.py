"""A program's params as options of the command that runs it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dpipe.lang import graph
from dpipe.lang.types import BOOL, Type, show
from dpipe.runtime.errors import UsageError

GIVEN = "dpipe.params"
"""Where the context of a command keeps the values that came as options, by name."""


def options_of(
    params: Iterable[graph.ParamDef], own: Iterable[click.Parameter]
) -> list[click.Option]:
    """An option for each param whose name none of the command's own options has."""
    taken = {name for option in own for name in option.opts}
    return [_option(param) for param in params if _flag(param.name) not in taken]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(param: graph.ParamDef) -> click.Option:
    flag = _flag(param.name)
    is_flag = param.type == BOOL
    return click.Option(
        [f"{flag}/--no-{flag[2:]}" if is_flag else flag, f"param_{param.name}"],
        type=None if is_flag else str,
        metavar=None if is_flag else _metavar(param.type),
        default=None,
        help=_help(param),
        expose_value=False,
        callback=_keep(param.name),
    )


def _keep(name: str) -> Any:
    def keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if ctx.get_parameter_source(option.name or "") == click.core.ParameterSource.COMMANDLINE:
            ctx.meta.setdefault(GIVEN, {})[name] = value

    return keep


def _metavar(type: Type) -> str:
    text = show(type)
    return text if len(text) <= 24 else text.split(" ")[0] + "…"


def _help(param: graph.ParamDef) -> str:
    value = "required" if param.default is None else _shown(param.default)
    return " ".join(part for part in (param.help, value and f"[{value}]") if part)


def _shown(default: graph.Expr) -> str:
    """A default as the user would write it; empty where it is computed."""
    match default:
        case graph.Const(str() as text):
            return f"default: {text}"
        case graph.Const(value):
            return f"default: {json.dumps(value)}"
        case _:
            return ""


def from_file(path: Path) -> dict[str, Any]:
    """The values in a JSON file of params; raises ``UsageError``."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UsageError(f"cannot read `{path}`: {reason}") from None
    except ValueError as error:
        raise UsageError(f"`{path}` is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"`{path}` does not hold a JSON object", hint='{ "name": value, … }')
    return values
