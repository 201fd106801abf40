"""Pictures as files beside the rows that have them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from dpipe.lang import types
from dpipe.runtime.errors import UsageError
from dpipe.runtime.sinks.base import Out
from dpipe.runtime.values import Values

Change: TypeAlias = Callable[[Any], Any]
_SUFFIXES = {"jpeg": "jpg"}


class Pictures:
    """Puts each picture of a record into ``folder``, beside the file, and its path in its place.

    A picture's name is its content's, so equal ones are one file. Without a folder, and of a
    picture that is a path already, nothing changes.
    """

    def __init__(self, out: Out, folder: str, row: types.Record) -> None:
        path = PurePosixPath(folder)
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f'`images_in: "{folder}"` is no folder beside the file')
        self._out = out
        self._folder = folder
        self._change = _change(row, self._placed) if folder else None

    def __bool__(self) -> bool:
        """Whether a record may change."""
        return self._change is not None

    def __call__(self, record: Values) -> Values:
        changed: Values = self._change(record) if self._change else record
        return changed

    def _placed(self, picture: str) -> str:
        kind, found, data = picture.removeprefix("data:image/").partition(";base64,")
        if not (found and picture.startswith("data:")):
            return picture
        content = b64decode(data)
        name = f"{sha256(content).hexdigest()[:24]}.{_SUFFIXES.get(kind, kind)}"
        path = str(PurePosixPath(self._folder, name))
        self._out.beside(path, content)
        return path


def _change(of: types.Type, placed: Change) -> Change | None:
    """What replaces the pictures in a value of this type; None where it has none."""
    match of:
        case types.Image():
            return placed
        case types.Optional(inner):
            return _of_optional(_change(inner, placed))
        case types.List(inner):
            return _of_list(_change(inner, placed))
        case types.Record() if not isinstance(of, types.Again):
            return _of_record(of, placed)
        case _:
            return None


def _of_optional(change: Change | None) -> Change | None:
    return change and (lambda value: None if value is None else change(value))


def _of_list(change: Change | None) -> Change | None:
    return change and (lambda value: [change(each) for each in value])


def _of_record(of: types.Record, placed: Change) -> Change | None:
    changes = {field.name: made for field in of.fields if (made := _change(field.type, placed))}

    def change(value: Values) -> Values:
        return {**value, **{name: changes[name](value[name]) for name in changes if name in value}}

    return change if changes else None
