"""Markdown: a row ``{ path, text }`` a file, without YAML front matter."""

from __future__ import annotations

import re

from dpipe.runtime.sources.base import Context, Reading
from dpipe.runtime.sources.encodings import decode
from dpipe.runtime.sources.files import read_each

SUFFIXES = (".md", ".markdown")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)\n*")


def read(path: str | list[str], empty: str = "reject", *, context: Context) -> Reading:
    """Each file's Markdown as it stands."""
    return read_each(path, SUFFIXES, context, text_of, empty)


def text_of(data: bytes) -> str:
    text = decode(data)
    front = _FRONT_MATTER.match(text)
    return text[front.end() :] if front else text
