"""Python behind a typed signature: finding it, and turning what it raises into a reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dpipe.lang.types import Type, show
from dpipe.runtime.errors import Misfit, NoValue, UsageError
from dpipe.runtime.fit import fitter


def load(target: str) -> Any:
    """What ``package.module:name`` names; raises ``UsageError`` where there is no such thing."""
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f'`python("{target}")` cannot be loaded: {error}') from error


def function(target: str, result: Type) -> Callable[..., Any]:
    """The function of an ``extern def``.

    What it raises, or gives that is not of the declared type, is a row without a value.
    """
    found, fit = load(target), fitter(result)

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
