"""The checks for Python of one's own: what is sound passes, and each fault is found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio

from dpipe import testing
from dpipe.runtime.errors import Misfit
from dpipe.runtime.sinks.jsonl import Jsonl

ROWS = [{"n": 1}, {"n": 2}, {"n": 3}]


# -- sources -------------------------------------------------------------------------------------


async def lines(path: str, *, context: Any) -> AsyncIterator[dict[str, str]]:
    with (context.base / path).open() as file:
        for line in file:
            yield {"line": line.strip()}


def test_a_sound_source_gives_its_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    rows = testing.check_source(lines, folder=tmp_path, path="a.txt", row="{ line: str }")
    assert rows == [{"line": "one"}, {"line": "two"}]
    with pytest.raises(AssertionError, match=r"a row does not fit: \.line: expected int"):
        testing.check_source(lines, folder=tmp_path, path="a.txt", row="{ line: int }")


def _plain() -> Iterator[dict[str, int]]:
    yield {"n": 1}


async def _no_record() -> AsyncIterator[Any]:
    yield {1, 2}


_READ: list[int] = []


async def _other_rows() -> AsyncIterator[Any]:
    _READ.append(1)
    yield {"n": len(_READ)}


async def _keeps_open() -> AsyncIterator[Any]:
    file = Path(__file__).open()  # noqa: SIM115, ASYNC230
    yield {"n": len(file.readline())}


async def _hides_its_end() -> AsyncIterator[Any]:
    try:
        yield {"n": 1}
        await trio.lowlevel.checkpoint()
    except BaseException as error:
        raise ValueError("gone wrong") from error


async def _does_not_end() -> AsyncIterator[Any]:
    yield {"n": 1}
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (_plain, "gives generator, not rows: write it as `async def`"),
        (_no_record, "a row does not fit"),
        (_other_rows, "read again, the source gives other rows"),
        (_keeps_open, "read to its end, leaves something open: unclosed file"),
        (_hides_its_end, "cancelled after row 0, raises ValueError"),
        (_does_not_end, "does not come to an end"),
    ],
)
def test_a_fault_of_a_source_is_found(
    source: Callable[..., Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "PATIENCE", 0.2)
    with pytest.raises(AssertionError, match=told):
        testing.check_source(source)


# -- pipes ---------------------------------------------------------------------------------------


async def pairs(rows: AsyncIterator[Any], step: int = 1) -> AsyncIterator[Any]:
    before = None
    async for row in rows:
        if before is not None:
            yield {"sum": before + row["n"] * step}
        before = row["n"]


async def first_two(rows: AsyncIterator[Any]) -> AsyncIterator[Any]:
    count = 0
    async for row in rows:
        yield row
        count += 1
        if count == 2:
            return


async def _swallows(rows: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async for row in rows:
            yield row
    except Exception:
        return


def test_a_sound_pipe_gives_its_rows() -> None:
    assert testing.check_pipe(pairs, ROWS, gives="{ sum: int }") == [{"sum": 3}, {"sum": 5}]
    assert testing.check_pipe(pairs, ROWS, step=10)[0] == {"sum": 21}
    assert testing.check_pipe(first_two, ROWS) == ROWS[:2]


def test_a_pipe_that_hides_what_fails_before_it_is_found() -> None:
    with pytest.raises(AssertionError, match="the pipe hides that the rows fail after 0"):
        testing.check_pipe(_swallows, ROWS)


# -- functions -----------------------------------------------------------------------------------


async def waits(text: str) -> list[str]:
    await trio.lowlevel.checkpoint()
    return [text]


def _mutates(values: list[int]) -> int:
    values.append(1)
    return 1


_CALLS: list[int] = []


def _counts(n: int) -> int:
    _CALLS.append(n)
    return len(_CALLS)


def test_a_sound_function_gives_its_values() -> None:
    assert testing.check_def(len, ["ab"], [[1]], result="int") == [2, 1]
    assert testing.check_def(waits, ["a"], result="[str]") == [["a"]]


@pytest.mark.parametrize(
    ("function", "args", "result", "told"),
    [
        (_mutates, [[]], None, "changes its arguments"),
        (_counts, [1], None, "gives something else"),
        (str, [1], "int", "what the function gives does not fit: expected int"),
        (set, [[1]], None, "does not fit: expected a JSON value"),
    ],
)
def test_a_fault_of_a_function_is_found(
    function: Callable[..., Any], args: list[Any], result: str | None, told: str
) -> None:
    with pytest.raises(AssertionError, match=told):
        testing.check_def(function, args, result=result)


# -- sinks ---------------------------------------------------------------------------------------


class Plain:
    def __init__(self, out: Any, row: Any, end: str = "\n") -> None:
        self.out, self.end = out, end

    def put(self, record: dict[str, Any]) -> None:
        if record["n"] < 0:
            raise Misfit(".n", "is less than nothing")
        self.out.write(f"{record['n']}{self.end}".encode())

    def close(self) -> None: ...


class _Halves(Plain):
    def put(self, record: dict[str, Any]) -> None:
        self.out.write(b"[")
        super().put(record)


class _Changes(Plain):
    def put(self, record: dict[str, Any]) -> None:
        self.out.write(str(record.pop("n")).encode())


class _Hides(Plain):
    def put(self, record: dict[str, Any]) -> None:
        try:
            super().put(record)
        except Exception:
            return


class _Stamps(Plain):
    stamps = 0

    def close(self) -> None:
        _Stamps.stamps += 1
        self.out.write(str(self.stamps).encode())


def test_a_sound_sink_gives_its_bytes() -> None:
    assert testing.check_sink(Plain, [*ROWS, {"n": -1}], end=";") == b"1;2;3;"
    assert testing.check_sink(Jsonl, ROWS[:1], row="{ n: int }") == b'{"n":1}\n'


@pytest.mark.parametrize(
    ("writer", "told"),
    [
        (_Halves, "a record that is refused is written"),
        (_Changes, "changes its record"),
        (_Hides, "hides that its file cannot be written"),
        (_Stamps, "writes other bytes"),
    ],
)
def test_a_fault_of_a_sink_is_found(writer: type[Plain], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        testing.check_sink(writer, [{"n": 1}, {"n": -1}] if writer is not _Changes else ROWS)


# -- metrics -------------------------------------------------------------------------------------


class Longest:
    def __init__(self, floor: str = "") -> None:
        self.found = floor

    def add(self, value: str) -> None:
        self.found = max(self.found, value, key=len)

    def result(self) -> str:
        return self.found


class _Shared(Longest):
    values: ClassVar[list[str]] = []

    def add(self, value: str) -> None:
        self.values.append(value)

    def result(self) -> str:
        return "".join(self.values)


class _Spends(Longest):
    def result(self) -> str:
        found, self.found = self.found, ""
        return found


def test_a_sound_metric_gives_its_figure() -> None:
    assert testing.check_metric(Longest, ["a", "bcd"], result="str") == "bcd"
    assert testing.check_metric(Longest, ["a"], floor="xyz") == "xyz"


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (_Shared, "know of each other"),
        (_Spends, "asked twice, the metric gives another figure"),
    ],
)
def test_a_fault_of_a_metric_is_found(metric: type[Longest], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        testing.check_metric(metric, ["a", "bcd"])


def test_a_type_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="'strr' is no type"):
        testing.check_def(len, ["a"], result="strr")
