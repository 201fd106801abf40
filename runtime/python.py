"""Python behind a typed signature: finding it, and turning what it raises into a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from dpipe.lang.types import Type, show
from dpipe.runtime.errors import Misfit, NoValue, UsageError
from dpipe.runtime.extras import missing
from dpipe.runtime.fit import fitter
from dpipe.runtime.guarded import guarded

OURS = "dpipe."
"""What the names of dpipe's own modules begin with."""


def load(target: str) -> Any:
    """What ``package.module:name`` or ``folder/file.py:name`` names; a user's is guarded.

    Raises ``UsageError`` where there is no such thing.
    """
    found = _found(target)
    return found if target.startswith(OURS) else guarded(target, found)


def _found(target: str) -> Any:
    module, _, name = target.rpartition(":")
    path = file_of(target)
    try:
        return getattr(import_module(module) if path is None else _from_file(path), name)
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        if isinstance(error, ImportError) and (wanted := missing(error)):
            raise wanted from error
        raise UsageError(f'`python("{target}")` cannot be loaded: {error}') from error


def file_of(target: str) -> Path | None:
    """The file that a target names; None for a module of an installed package."""
    module = target.rpartition(":")[0]
    return Path(module) if module.endswith(".py") else None


@cache
def _from_file(path: Path) -> ModuleType:
    """A file's module, loaded once under a name that no package has."""
    name = f"dpipe_file_{path.stem}_{abs(hash(path.resolve()))}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python in `{path}`")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def function(target: str, result: Type) -> Callable[..., Any]:
    """The function of an ``extern def``.

    What it raises, or gives that is not of the declared type, is a row without a value.
    """
    found, fit = _found(target), fitter(result)

    def call(*args: Any) -> Any:
        try:
            return fit(found(*args))
        except NoValue:
            raise
        except Misfit as misfit:
            raise NoValue(f"`{target}` gave no {show(result)}: {misfit}") from misfit
        except Exception as error:
            raise NoValue(f"`{target}` failed: {type(error).__name__}: {error}") from error

    return call
