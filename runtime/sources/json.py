"""JSON files: the elements of an array, or one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dpipe.runtime.errors import UsageError
from dpipe.runtime.paths import display, find_inputs
from dpipe.runtime.sources.base import (
    Context,
    Read,
    Reading,
    Unreadable,
    batched,
    record_of,
)
from dpipe.runtime.sources.encodings import decode
from dpipe.runtime.sources.files import reason
from dpipe.runtime.sources.strict_json import why_not

SUFFIXES = (".json",)


def read(path: str | list[str], at: str = "", *, context: Context) -> Reading:
    """The records that the JSON pointer ``at`` leads to; the whole file where it is empty."""
    if at and not at.startswith("/"):
        raise UsageError(f'`at: "{at}"` is no JSON pointer', hint=f'write `at: "/{at}"`')
    files = find_inputs(path, context.base, SUFFIXES)
    steps = [_unescaped(step) for step in at.split("/")[1:]]
    return Reading(files, lambda: batched(_records(files, steps, at, context)))


def _records(
    files: Sequence[Path], steps: Sequence[str], at: str, context: Context
) -> Iterator[Read]:
    for file in files:
        name = display(file, context.project)
        try:
            found = _follow(_load(file), steps)
        except (OSError, ValueError) as e:
            yield Unreadable(name, reason(e))
        except LookupError:
            yield Unreadable(name, f"has nothing at `{at}`")
        else:
            yield from _elements(found, name + at)


def _load(file: Path) -> Any:
    text = decode(file.read_bytes()).removeprefix("\ufeff")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError(why_not(text)) from None


def _elements(found: Any, place: str) -> Iterator[Read]:
    if not isinstance(found, list):
        yield record_of(found, place)
        return
    for index, element in enumerate(found):
        yield record_of(element, f"{place}[{index}]")


def _follow(value: Any, steps: Sequence[str]) -> Any:
    """What the steps of a JSON pointer (RFC 6901) lead to; raises ``LookupError``."""
    for step in steps:
        if isinstance(value, dict):
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit():
            value = value[int(step)]
        else:
            raise LookupError(step)
    return value


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
