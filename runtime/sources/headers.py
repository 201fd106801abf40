"""What files tell of their rows before these are read: can they be those that are declared?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from dpipe.lang import types
from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display

FILES = 100
"""The most files of a source that are looked at."""
_SHOWN = 12
_SEPARATORS = {";": ";", "\t": "\\t", "|": "|"}


class Header(Struct, frozen=True):
    """The names of a table's columns, or all that the first ``records`` of a file have."""

    place: str
    names: Sequence[str]
    records: int = 0


Headers: TypeAlias = Callable[[], Iterator[Header]]


def headers_of(
    files: Sequence[Path], project: Path, look: Callable[[Path, str], Header | None]
) -> Headers:
    """The headers of files, each as ``look`` finds it under the file's shown name.

    A file that has none, or is damaged, tells so when it is read; what is no ordinary file can
    be read once only.
    """

    def headers() -> Iterator[Header]:
        for file in files[:FILES]:
            if file.is_file() and (header := _looked_at(look, file, display(file, project))):
                yield header

    return headers


def _looked_at(look: Callable[[Path, str], Header | None], file: Path, name: str) -> Header | None:
    try:
        return look(file, name)
    except Exception:  # of whatever kind a library makes of a damaged file
        return None


def refuse_missing(headers: Iterator[Header], row: types.Record) -> None:
    """Raises ``UsageError`` for the first file in which a field that rows must have is nowhere."""
    needed = [field.name for field in row.fields if _is_needed(field.type)]
    for header in headers:
        if missing := [name for name in needed if name not in header.names]:
            raise UsageError(
                _told(header, missing), code="P0006", hint=_hint(header.names, missing[0])
            )


def _is_needed(type: types.Type) -> bool:
    return not (types.may_be_null(type) or isinstance(type, types.Json | types.Unknown))


def _told(header: Header, missing: Sequence[str]) -> str:
    names = " and ".join(f"`{name}`" for name in missing)
    plural = "s" if len(missing) > 1 else ""
    if not header.records:
        return f"`{header.place}` has no column{plural} {names}; it has {_listed(header.names)}"
    first = f"its first {header.records} records"
    return f"`{header.place}` has no field{plural} {names} in {first}; {_have(header)}"


def _have(header: Header) -> str:
    return f"they have {_listed(header.names)}" if header.names else "they have none at all"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"


def _hint(names: Sequence[str], missing: str) -> str | None:
    if len(names) == 1:
        for separator, written in _SEPARATORS.items():
            if separator in names[0]:
                return f'is it separated by `{written}`? then write `separator: "{written}"`'
    near = get_close_matches(missing, names, n=1)
    return f"did you mean `{near[0]}`?" if near else None
