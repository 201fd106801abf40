"""The world around a program: its files, its project's folder, the environment.

The one place where dpipe reads environment variables.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

STD = "<std>/"
LARGEST = 1 << 24
"""Bytes that a program's file may have."""


def load(path: str) -> bytes:
    """A program's file, or a bundled module's (``<std>/text.dpipe``).

    Raises ``OSError``, for what is no ordinary file and what is far too large for a program too.
    """
    if path.startswith(STD):
        return (resources.files("dpipe.stdlib") / path.removeprefix(STD)).read_bytes()
    return read_file(Path(path))


def read_file(path: Path) -> bytes:
    """The bytes of an ordinary file of at most 16 MiB; raises ``OSError``, never waits."""
    try:
        mode = path.stat().st_mode
    except ValueError:
        raise OSError(errno.EINVAL, "not a file name", str(path)) from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, "larger than 16 MiB, so no program", str(path))
    return data


def bundled() -> tuple[str, ...]:
    """The names of the bundled modules, as they stand after ``std.``."""
    files = (entry.name for entry in resources.files("dpipe.stdlib").iterdir())
    names = {name.removesuffix(".dpipe") for name in files if name.endswith(".dpipe")}
    return tuple(sorted(names - {"builtins"}))


def environment() -> Mapping[str, str]:
    return os.environ
