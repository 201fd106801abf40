"""Loading programs and the bundled modules for tests, without the command line."""

from __future__ import annotations

from importlib import resources

_STD = resources.files("dpipe.stdlib")
STD = tuple(
    sorted(
        file.name.removesuffix(".dpipe")
        for file in _STD.iterdir()
        if file.name.endswith(".dpipe") and file.name != "builtins.dpipe"
    )
)


def load_std(path: str) -> bytes:
    """The bytes of a bundled module; there is no other file."""
    if not path.startswith("<std>/"):
        raise FileNotFoundError(2, "no such file", path)
    return (_STD / path.removeprefix("<std>/")).read_bytes()
