"""What a program reads from the environment, once, before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dpipe.runtime.errors import UsageError

if TYPE_CHECKING:
    from dpipe.runtime.secrets import Secret


def env(environ: Mapping[str, str], name: str, default: str | None = None) -> str:
    """The variable, or ``default`` where it is not set."""
    value = environ.get(name, default)
    return _missing(name) if value is None else value


def secret(environ: Mapping[str, str], name: str) -> Secret:
    """The variable as a key that no log, record or message shows."""
    from dpipe.runtime.secrets import Secret

    value = environ.get(name)
    return Secret(_missing(name) if value is None else value, name)


def _missing(name: str) -> str:
    raise UsageError(
        f"the environment variable `{name}` is not set",
        code="P0003",
        hint=f"set it before the run: export {name}=…",
    )
