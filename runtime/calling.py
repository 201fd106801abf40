"""A user's functions as expressions call them: at once, or with answers that were waited for.

Expressions are plain code and wait for nothing. A function that has to be waited for (it is
``async``, its calls run side by side, or its answers are in the journal) is therefore asked before
the expression is needed: where its answer is missing the expression raises ``Waits``, whoever
works it out has the call answered, and works it out again. ``ahead`` does so for whole stages.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Protocol

import trio
from msgspec import Struct

from dpipe.lang import graph
from dpipe.lang.types import Type, show
from dpipe.runtime.errors import Misfit, NoValue
from dpipe.runtime.fit import fitter
from dpipe.runtime.guarded import why
from dpipe.runtime.operators import Code, Locals
from dpipe.runtime.python import found
from dpipe.runtime.secrets import Secret
from dpipe.runtime.values import Values

AT_ONCE = 8
"""How many calls of a function run at once where it does not say."""


class Answer(Struct, frozen=True):
    """What came of a call: a value, or the reason why there is none."""

    value: Any = None
    failure: str | None = None

    def get(self) -> Any:
        """The value; raises ``NoValue`` with the reason."""
        if self.failure is not None:
            raise NoValue(self.failure)
        return self.value


class Waits(Exception):
    """An expression needs the answer to a call first."""

    def __init__(self, function: Function, args: Sequence[Any], key: tuple[int, str]) -> None:
        super().__init__(function.target)
        self.function = function
        self.given = args
        self.key = key


class Answered(dict[str, Any]):
    """A row's values, and what was answered to the calls that its expressions make."""

    __slots__ = ("answers",)

    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self.answers: dict[tuple[int, str], Answer] = {}


class Keeping(Protocol):
    """Where the answers of recorded functions are kept."""

    async def answer(self, function: Function, args: Sequence[Any]) -> Answer: ...

    def answer_here(self, function: Function, args: Sequence[Any]) -> Answer: ...


class Function:
    """The function of an ``extern def``. What it gives is held to the declared type.

    ``waits`` says that its answers are waited for; ``at_once`` of its calls run side by side.
    """

    def __init__(self, call: graph.CallPython) -> None:
        self.target = call.target
        self.recorded = call.record
        self.at_once = call.concurrency or AT_ONCE
        self._result: Type = call.result
        self._call: Callable[..., Any] = found(call.target)
        self._fit = fitter(call.result)
        self._async = inspect.iscoroutinefunction(self._call)
        self._places = trio.CapacityLimiter(self.at_once)
        self.waits = self._async or call.record or bool(call.concurrency)

    def here(self, *args: Any) -> Any:
        """What it gives, while everything else stands still; raises ``NoValue``."""
        try:
            value = self._elsewhere(args) if self._async else self._call(*args)
        except NoValue:
            raise
        except (Exception, SystemExit) as error:
            raise NoValue(why(self.target, error)) from error
        return self.fitted(value)

    async def there(self, args: Sequence[Any]) -> Any:
        """What it gives, unread, in a thread of its own where it is no async function.

        Raises what it raises. A run that ends does not wait for the thread.
        """
        if self._async:
            async with self._places:
                return await self._call(*args)
        return await trio.to_thread.run_sync(
            self._call, *args, abandon_on_cancel=True, limiter=self._places
        )

    async def answer(self, args: Sequence[Any]) -> Answer:
        """What comes of a call."""
        try:
            return self.read(await self.there(args))
        except (Exception, SystemExit) as error:
            return Answer(failure=why(self.target, error))

    def read(self, value: Any) -> Answer:
        """A value that it gave, as the declared type."""
        try:
            return Answer(self.fitted(value))
        except NoValue as reason:
            return Answer(failure=str(reason))

    def fitted(self, value: Any) -> Any:
        try:
            return self._fit(value)
        except Misfit as misfit:
            raise NoValue(f"`{self.target}` gave no {show(self._result)}: {misfit}") from misfit

    def _elsewhere(self, args: Sequence[Any]) -> Any:
        """What an async function gives to who cannot wait: it runs in a trio of its own."""
        ended: list[Callable[[], Any]] = []

        def run() -> None:
            try:
                value = trio.run(self._call, *args)
                ended.append(lambda: value)
            except BaseException as error:
                ended.append(_raiser(error))

        thread = Thread(target=run, daemon=True)
        thread.start()
        thread.join()
        return ended[0]()


def _raiser(error: BaseException) -> Callable[[], Any]:
    def again() -> Any:
        raise error

    return again


class Functions:
    """The Python functions of a program, each made once. ``keeping`` is set where there is a
    journal."""

    def __init__(self) -> None:
        self.keeping: Keeping | None = None
        self._made: dict[tuple[str, Type, bool, int], Function] = {}

    def of(self, call: graph.CallPython) -> Function:
        as_ = (call.target, call.result, call.record, call.concurrency)
        if as_ not in self._made:
            self._made[as_] = Function(call)
        return self._made[as_]

    def code(self, function: Function, args: tuple[Code, ...]) -> Code:
        """The call of a function that is waited for."""

        def call(values: Values, locals: Locals = ()) -> Any:
            given = [arg(values, locals) for arg in args]
            if values.__class__ is not Answered:
                return self._unprepared(function, given)
            key = (id(function), shown_args(given))
            answer = values.answers.get(key)
            if answer is None:
                raise Waits(function, given, key)
            return answer.get()

        return call

    async def answer(self, function: Function, args: Sequence[Any]) -> Answer:
        """What comes of a call, in this run or an earlier one."""
        if function.recorded and self.keeping is not None:
            return await self.keeping.answer(function, args)
        return await function.answer(args)

    def _unprepared(self, function: Function, args: Sequence[Any]) -> Any:
        if function.recorded and self.keeping is not None:
            return self.keeping.answer_here(function, args).get()
        return function.here(*args)


def shown_args(args: Sequence[Any]) -> str:
    """The arguments of a call as JSON that is equal where they are; a secret is its name."""
    return json.dumps(args, sort_keys=True, default=_shown)


def _shown(value: Any) -> Any:
    return {"secret": value.name} if isinstance(value, Secret) else repr(value)
