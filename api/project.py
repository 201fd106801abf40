"""The world around a program: its files, its project's folder, the environment.

The one place where dpipe reads environment variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

STD = "<std>/"


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


def environment() -> Mapping[str, str]:
    return os.environ
