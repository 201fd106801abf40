"""A user's Python, so that what it raises is told as its own and not as dpipe's bug."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isclass
from typing import Any, Self

from dpipe.runtime.errors import UsageError


@contextmanager
def told(target: str) -> Iterator[None]:
    """What is raised meanwhile stops the run, in one line that names the Python."""
    try:
        yield
    except StopAsyncIteration:
        raise
    except (Exception, SystemExit) as error:
        if (ours := _of_ours(error)) is not None:
            raise ours from None
        raise UsageError(why(target, error)) from error


def _of_ours(error: BaseException) -> BaseException | None:
    """What means something to whoever called, also where a nursery has put it into a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if type(error).__module__.partition(".")[0] == "dpipe" else None


def why(target: str, error: BaseException) -> str:
    """What a user's Python raised, and in which line of its file."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"`{target}` failed{line_in(target, error)}: {kind_and_words(error)}"


def kind_and_words(error: BaseException) -> str:
    """An exception in one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def line_in(target: str, error: BaseException) -> str:
    """Where in the target's file it happened, as far as that is known."""
    file = os.path.abspath(target.rpartition(":")[0])
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if os.path.abspath(frame.filename) == file]
    return f" in line {lines[-1]}" if lines else ""


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
