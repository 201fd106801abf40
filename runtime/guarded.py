"""A user's Python, so that what it raises is told as its own and not as dpipe's bug."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isclass
from typing import Any, Self

from dpipe.runtime.errors import DpipeError, Misfit, NoValue, UsageError


@contextmanager
def told(target: str) -> Iterator[None]:
    """What is raised meanwhile stops the run, in one line that names the Python."""
    try:
        yield
    except (DpipeError, Misfit, NoValue, StopAsyncIteration):
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] in ("dpipe", "trio"):
            raise  # it means something to whoever called
        raise UsageError(f"`{target}` failed: {type(error).__name__}: {error}") from error


def guarded(target: str, found: Callable[..., Any]) -> Callable[..., Any]:
    """A function or class whose calls, methods and rows are told."""

    @wraps(found)
    def call(*args: Any, **options: Any) -> Any:
        with told(target):
            made = found(*args, **options)
        if isclass(found) or hasattr(made, "__anext__"):
            return Guarded(target, made)
        return made

    return call


class Guarded:
    """What a user's class or generator made."""

    def __init__(self, target: str, inner: Any) -> None:
        self._target = target
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return guarded(self._target, value) if callable(value) else value

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        with told(self._target):
            return await anext(self._inner)

    async def aclose(self) -> None:
        if hasattr(self._inner, "aclose"):
            await self._inner.aclose()
