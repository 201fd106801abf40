"""Python behind a typed signature: finding it."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.util import decode_source, module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from dpipe.runtime.errors import UsageError
from dpipe.runtime.extras import missing
from dpipe.runtime.guarded import guarded, kind_and_words, line_in
from dpipe.runtime.values import key_of

OURS = "dpipe."
"""What the names of dpipe's own modules begin with."""


def load(target: str) -> Any:
    """What ``package.module:name`` or ``folder/file.py:name`` names; a user's is guarded.

    Raises ``UsageError`` where there is no such thing.
    """
    named = found(target)
    return named if target.startswith(OURS) else guarded(target, named)


def found(target: str) -> Any:
    """``load``, as it is."""
    module, _, name = target.rpartition(":")
    path = file_of(target)
    try:
        return getattr(import_module(module) if path is None else _from_file(path), name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ImportError) and (wanted := missing(error)):
            raise wanted from error
        raise UsageError(
            f'`python("{target}")` cannot be loaded: {_reason(target, error)}'
        ) from error


def _reason(target: str, error: BaseException) -> str:
    if isinstance(error, ImportError | AttributeError | OSError | SyntaxError):
        return str(error)
    return f"{kind_and_words(error)}{line_in(target, error)}"


def file_of(target: str) -> Path | None:
    """The file that a target names; None for a module of an installed package."""
    module = target.rpartition(":")[0]
    return Path(module) if module.endswith(".py") else None


def _from_file(path: Path) -> ModuleType:
    """The module of a file as it stands, loaded once."""
    return _module(path.resolve(), path.read_bytes())


@cache
def _module(path: Path, source: bytes) -> ModuleType:
    """The module that a source is, under a name that no package has."""
    name = f"dpipe_file_{path.stem}_{key_of(str(path), source).hex()}"
    spec = spec_from_loader(name, _Source(path, source), origin=str(path))
    assert spec is not None
    spec.has_location = True
    module = sys.modules[name] = module_from_spec(spec)
    try:
        _Source(path, source).exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class _Source(InspectLoader):
    """Runs a source as it was read: what Python compiled before may be of an older one."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path = path
        self._source = source

    def get_source(self, fullname: str) -> str:
        return decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._path))
