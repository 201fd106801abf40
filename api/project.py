"""The world around a program: its files, its project's folder, the environment.

The one place where dpipe reads environment variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

STD = "<std>/"
SETTINGS = "dpipe.toml"


def load(path: str) -> bytes:
    """A program's file, or a bundled module's (``<std>/text.dpipe``); raises ``OSError``."""
    if path.startswith(STD):
        return (resources.files("dpipe.stdlib") / path.removeprefix(STD)).read_bytes()
    return Path(path).read_bytes()


def bundled() -> tuple[str, ...]:
    """The names of the bundled modules, as they stand after ``std.``."""
    files = (entry.name for entry in resources.files("dpipe.stdlib").iterdir())
    names = {name.removesuffix(".dpipe") for name in files if name.endswith(".dpipe")}
    return tuple(sorted(names - {"builtins"}))


def root_of(program: Path) -> Path:
    """The project's folder: the nearest one up with a ``dpipe.toml``, else the program's own."""
    home = program.absolute().parent
    return next((up for up in (home, *home.parents) if (up / SETTINGS).is_file()), home)


def environment() -> Mapping[str, str]:
    return os.environ
