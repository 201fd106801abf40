"""Texts: a row ``{ path, text }`` a file."""

from __future__ import annotations

from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.encodings import decode
from dpipe.runtime.sources.files import read_each

SUFFIXES = (".txt", ".text", ".md", ".markdown", ".rst")


def read(path: str | list[str], empty: str = "reject", *, context: Context) -> Reading:
    """Each file's text, decoded, with line ends as ``\\n``."""
    return read_each(path, SUFFIXES, context, decode, empty)
