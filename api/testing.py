"""Whether Python of your own is what dpipe needs: a check for each kind of ``extern``.

    from dpipe import testing

    def test_lines(tmp_path):
        rows = testing.check_source(tools.lines, path="poem.txt", row="{ line: str }")
        assert rows[0] == {"line": "roses are red"}

Each check uses the Python as a run does, to its end, stopped after each row, cancelled at each
row, and with everything around it failing at each row. It raises ``AssertionError`` where that
loses, repeats or hides something, or leaves a file open, and gives what came out for tests of
your own. ``row``, ``gives`` and ``result`` are types as a program writes them.
"""

from __future__ import annotations

import copy
import gc
import inspect
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import trio

from dpipe.lang.compile import compile_program
from dpipe.lang.types import JSON, UNKNOWN, Record, Type
from dpipe.project import bundled, load
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import fitter, row_fitter
from dpipe.runtime.sources.base import Context

PATIENCE = 10.0
"""Seconds for what must come to an end."""

Row = dict[str, Any]
T = TypeVar("T")


class Trouble(Exception):
    """What the checks raise around the Python; it must not be hidden."""


def check_source(
    read: Callable[..., Any], *, row: str | None = None, folder: str | Path = ".", **args: Any
) -> list[Row]:
    """The rows of a source that is called with ``args``, its paths relative to ``folder``."""
    here = Path(folder).absolute()
    if "context" in inspect.signature(read).parameters:
        args["context"] = Context("source", here, here)
    fit = _row_of(row)

    def made() -> AsyncIterator[Any]:
        return _rows_of(read(**args), "the source")

    with _nothing_open("the source, read to its end,"):
        rows = _run(lambda: _all(made(), fit))
        _same(rows, _run(lambda: _all(made(), fit)), "read again, the source gives other rows")
    _leaves_well(made, len(rows), "the source")
    return rows


def check_pipe(
    pipe: Callable[..., Any], rows: Sequence[Row], *, gives: str | None = None, **options: Any
) -> list[Row]:
    """What a pipe makes of these rows."""
    fit = _row_of(gives)

    def made(given: Given | None = None) -> AsyncIterator[Any]:
        return _rows_of(pipe(given or Given(rows), **options), "the pipe")

    with _nothing_open("the pipe, read to its end,"):
        found = _run(lambda: _all(made(), fit))
        _same(found, _run(lambda: _all(made(), fit)), "given the same rows, the pipe gives others")
    _leaves_well(made, len(found), "the pipe")
    for at in range(len(rows) + 1):
        given = Given(rows, at)
        with _troubled(f"the pipe hides that the rows fail after {at}", partial(_failed, given)):
            _run(partial(_all, made(given), fit))
    return found


def check_def(
    function: Callable[..., Any], *calls: Sequence[Any], result: str | None = None
) -> list[Any]:
    """What a function gives for each of these calls, a list of arguments each."""
    fit = fitter(_type_of(result)) if result else fitter(JSON)

    async def call(args: Sequence[Any]) -> Any:
        found = function(*args)
        return await found if inspect.isawaitable(found) else found

    found = []
    for args in calls:
        given = copy.deepcopy(list(args))
        value = _run(partial(call, given))
        assert given == list(args), f"the function changes its arguments: {args!r}"
        again = _run(partial(call, copy.deepcopy(list(args))))
        _same(value, again, f"called again with {args!r}, the function gives something else")
        found.append(_fitted(fit, value, "what the function gives"))
    return found


def check_sink(
    writer: Callable[..., Any], records: Sequence[Row], *, row: str | None = None, **options: Any
) -> bytes:
    """What a sink's class writes of these records; those that it refuses are left out."""
    of = _type_of(row) if row else Record()

    def written(upto: int | None, out: Memory) -> bytes:
        made = writer(out, of, **options)
        for record in records[:upto]:
            before, kept = len(out.data), copy.deepcopy(record)
            try:
                made.put(record)
            except Misfit:
                assert len(out.data) == before, f"a record that is refused is written: {record!r}"
            assert record == kept, f"the sink changes its record: {kept!r}"
        if upto is None:
            made.close()
        return bytes(out.data)

    with _nothing_open("the sink"):
        data = written(None, Memory())
        _same(data, written(None, Memory()), "given the same records, the sink writes other bytes")
        for upto in range(len(records) + 1):
            written(upto, Memory())
        writes = Memory()
        written(None, writes)
        for at in range(writes.count):
            with _troubled(f"the sink hides that its file cannot be written ({at + 1})"):
                written(None, Memory(fails_at=at))
    return data


def check_metric(
    metric: Callable[..., Any], values: Sequence[Any], *, result: str | None = None, **options: Any
) -> Any:
    """The figure that a metric's class makes of these values."""
    fit = fitter(_type_of(result)) if result else fitter(JSON)

    def fed(made: Any, given: Sequence[Any]) -> Any:
        for value in given:
            made.add(copy.deepcopy(value))
        return _fitted(fit, made.result(), "the figure")

    fed(metric(**options), ())
    found = fed(metric(**options), values)
    first, second = metric(**options), metric(**options)
    for value in values:
        first.add(copy.deepcopy(value))
        second.add(copy.deepcopy(value))
    told = "two figures that are made at the same time know of each other"
    _same(found, fed(first, ()), told)
    _same(found, fed(second, ()), told)
    _same(found, fed(first, ()), "asked twice, the metric gives another figure")
    return found


def _failed(given: Given) -> bool:
    return given.failed


class Memory:
    """A file in memory, as a sink is given one; the write number ``fails_at`` fails."""

    suffix = ""

    def __init__(self, fails_at: int | None = None) -> None:
        self.data = bytearray()
        self.count = 0
        self._fails_at = fails_at

    def write(self, data: bytes) -> None:
        if self.count == self._fails_at:
            raise Trouble
        assert isinstance(data, bytes), f"a file takes bytes, not {type(data).__name__}"
        self.count += 1
        self.data += data


# -- rows ----------------------------------------------------------------------------------------


async def _all(rows: AsyncIterator[Any], fit: Callable[[Any], Any]) -> list[Row]:
    async with aclosing(rows) as given:  # type: ignore[type-var]
        return [_fitted(fit, row, "a row") async for row in given]


class Given:
    """The rows that a pipe is given; they fail before the row ``fails_at``, or at their end."""

    def __init__(self, rows: Sequence[Row], fails_at: int | None = None) -> None:
        self.failed = False
        self._rows = rows
        self._at = 0
        self._fails_at = fails_at

    def __aiter__(self) -> AsyncIterator[Row]:
        return self

    async def __anext__(self) -> Row:
        await trio.lowlevel.checkpoint()
        if self._at == self._fails_at:
            self.failed = True
            raise Trouble
        if self._at == len(self._rows):
            raise StopAsyncIteration
        self._at += 1
        return copy.deepcopy(self._rows[self._at - 1])


def _rows_of(made: Any, what: str) -> AsyncIterator[Any]:
    told = f"{what} gives {type(made).__name__}, not rows: write it as `async def` with `yield`"
    assert hasattr(made, "__aiter__"), told
    rows: AsyncIterator[Any] = aiter(made)
    return rows


def _leaves_well(made: Callable[[], AsyncIterator[Any]], rows: int, what: str) -> None:
    """Stop and cancel it after each row: it must end, and close what it has opened."""

    async def stopped(after: int, *, cancelled: bool) -> None:
        with trio.CancelScope() as scope:
            given = made()
            try:
                for _ in range(after):
                    await anext(given)
                if cancelled:
                    scope.cancel()
                    await _rest(given, rows)
            finally:
                with trio.CancelScope(shield=True):
                    if hasattr(given, "aclose"):
                        await given.aclose()

    for after, cancelled in product(range(rows + 1), (False, True)):
        told = f"{what}, {'cancelled' if cancelled else 'left'} after row {after},"
        with _nothing_open(told):
            try:
                _run(partial(stopped, after, cancelled=cancelled))
            except Exception as error:
                raise AssertionError(f"{told} raises {error!r}") from error


async def _rest(given: AsyncIterator[Any], rows: int) -> None:
    for _ in range(rows + 1):
        try:
            await anext(given)
        except StopAsyncIteration:
            return


# -- what must hold ------------------------------------------------------------------------------


def _run(job: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        with trio.move_on_after(PATIENCE):
            return await job()
        raise AssertionError(f"it does not come to an end within {PATIENCE:g} s")

    return trio.run(bounded)


@contextmanager
def _nothing_open(what: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    left = [str(each.message) for each in told if issubclass(each.category, ResourceWarning)]
    assert not left, f"{what} leaves something open: {left[0]}"


@contextmanager
def _troubled(told: str, happened: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """The trouble around, if it happened, must come through, itself or as a cause."""
    try:
        yield
    except Exception as error:
        if not any(isinstance(each, Trouble) for each in _chain(error)):
            raise AssertionError(f"{told}: {error!r}") from error
    else:
        assert not happened(), told


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner)
        error = error.__cause__ or error.__context__


def _same(found: Any, again: Any, told: str) -> None:
    assert found == again, f"{told}: {found!r}, then {again!r}"


def _fitted(fit: Callable[[Any], Any], value: Any, what: str) -> Any:
    try:
        return fit(value)
    except Misfit as wrong:
        raise AssertionError(f"{what} does not fit: {wrong}") from None


def _row_of(text: str | None) -> Callable[[Any], Any]:
    if text is None:
        return lambda row: _fitted(fitter(JSON), row, "a row")
    of = _type_of(text)
    assert isinstance(of, Record), f"{text!r} is no row"
    return row_fitter(of)


def _type_of(text: str) -> Type:
    """The type that a program would write so."""
    program = f'dpipe 1\nparam it: {text}\nsource s = repeat(1)\nsink o = s | jsonl("o.jsonl")\n'
    files: Mapping[str, bytes] = {"type.dpipe": program.encode()}
    compiled = compile_program(
        "type.dpipe", lambda path: files[path] if path in files else load(path), bundled()
    )
    if compiled.graph is None:
        raise ValueError(f"{text!r} is no type: {compiled.diagnostics[0].message}")
    return next((each.type for each in compiled.graph.params), UNKNOWN)
