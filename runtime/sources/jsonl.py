"""JSON lines: a record a line, read in blocks, however long the file is."""

from __future__ import annotations

import codecs
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec.structs import replace

from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import (
    Batches,
    Context,
    Read,
    Reading,
    Record,
    Unreadable,
    batched,
    not_a_record,
)
from dpipe.runtime.sources.encodings import guess_file, shown
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.headers import Header, headers_of
from dpipe.runtime.sources.strict_json import why_not
from dpipe.runtime.values import Values

SUFFIXES = (".jsonl", ".ndjson")
_LOOKED_AT, _FEWEST = 20, 5
"""Records of a file that are looked at before a run; fewer than so many tell of no other."""
_decode = msgspec.json.Decoder().decode


def read(path: str | list[str], *, context: Context) -> Reading:
    """Each line's record; blank lines are none."""
    files = find_inputs(path, context.base, SUFFIXES)
    return Reading(
        files,
        lambda: _batches(files, context),
        headers_of(files, context.project, _first_fields),
    )


def _first_fields(file: Path, name: str) -> Header | None:
    """All that the first records of a file have, where these are enough to tell."""
    with closing(_records(file, name)) as records:
        first = [one.values for one in islice(records, _LOOKED_AT) if isinstance(one, Record)]
    names = dict.fromkeys(field for values in first for field in values)
    return Header(name, [*names], len(first)) if len(first) >= _FEWEST else None


def _batches(files: Sequence[Path], context: Context) -> Batches:
    for file in files:
        yield from batched(_records(file, display(file, context.project)))


def _records(file: Path, name: str) -> Generator[Read, None, None]:
    try:
        with file.open("rb") as opened:
            encoding = guess_file(opened)
        with _open(file, encoding) as lines:
            for number, line in enumerate(lines, 1):
                if line := line.strip():
                    yield _record(line, f"{name}:{number}", encoding)
    except (OSError, ValueError) as e:
        yield Unreadable(name, reason(e))


def _open(file: Path, encoding: str) -> IO[Any]:
    """The file by lines of UTF-8, which need no decoding here, else by decoded lines."""
    if not encoding.startswith("utf-8"):
        return file.open(encoding=encoding, errors="surrogateescape", newline="\n")
    opened = file.open("rb")
    if encoding == "utf-8-sig":
        opened.seek(len(codecs.BOM_UTF8))
    return opened


def _record(line: bytes | str, place: str, encoding: str) -> Read:
    try:
        raw = line if isinstance(line, bytes) else line.encode()
        values = _decode(raw)
    except UnicodeError:
        return Unreadable(place, f"not valid {shown(encoding)}", _as_text(line))
    except (msgspec.DecodeError, RecursionError):
        return Unreadable(place, why_not(line), _as_text(line))
    if values.__class__ is dict:
        return Record(values, raw, place)
    return replace(not_a_record(values, place), found=_as_text(line))


def _as_text(line: bytes | str) -> Values:
    """A line that is no record, as its reject shows it."""
    return {"line": line if isinstance(line, str) else line.decode(errors="backslashreplace")}
