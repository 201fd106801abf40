"""A ``test`` of a program, run: no network, no key, and nothing is written.

The flows that the test reads run as in a run, with seed 0: given rows are their sources, a
script (``script.py``) answers for the models, and their rows are gathered instead of written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import trio
from msgspec import Struct
from msgspec.structs import replace

from dpipe.lang import graph
from dpipe.runtime.assembly import Frame, Inputs, Models, assemble
from dpipe.runtime.errors import Misfit, NoValue, UsageError
from dpipe.runtime.executor import Executor, Feed, Part, unwrapped
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.fit import row_fitter
from dpipe.runtime.ledger import Tally
from dpipe.runtime.plan import bind_params, wire
from dpipe.runtime.record import find_project
from dpipe.runtime.script import Lines, Script, StandIns, in_turn
from dpipe.runtime.settings import Settings
from dpipe.runtime.sources.base import identity_of
from dpipe.runtime.trust import check_trust
from dpipe.runtime.unroll import unroll
from dpipe.runtime.values import Batch, Reject, Row, Values, key_of

AT_ONCE = 1024
"""Rows that may be answered at a time: nothing is waited for."""


class Failure(Struct, frozen=True):
    """Why a test failed, and where.

    ``expect`` is the text of the expectation that does not hold, with the values of its parts;
    None where the test could not be run. ``message`` is the fact, where there is one to tell.
    """

    place: graph.Place
    expect: str | None = None
    message: str | None = None
    hint: str | None = None
    values: tuple[tuple[str, Any], ...] = ()


class TestResult(Struct, frozen=True):
    """How a test ended. ``rejects`` are the rows of its flows that could not go on."""

    __test__ = False  # not one of pytest's, whatever its name

    title: str
    place: graph.Place
    failures: tuple[Failure, ...]
    rejects: tuple[Reject, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures


def run_test(
    program: graph.Graph,
    test: graph.TestDef,
    *,
    params: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> TestResult:
    """Run one test of a program; ``settings`` say whose Python may run. Raises nothing.

    The test runs without a network and writes nothing: no file, no journal, no record.
    """
    return trio.run(
        _run, program, test, params or {}, environ or {}, settings or Settings.model_validate({})
    )


async def _run(
    program: graph.Graph,
    test: graph.TestDef,
    params: Mapping[str, Any],
    environ: Mapping[str, str],
    settings: Settings,
) -> TestResult:
    try:
        frame = _frame(program, test, params, environ, settings)
        gathered = await _gather(frame, test)
        failures = tuple(_failures(test, frame.expressions, gathered))
    except UsageError as error:
        failure = Failure(test.place, message=error.message, hint=error.hint)
        return TestResult(test.title, test.place, (failure,))
    rejects = tuple(reject for one in gathered.values() for reject in one.rejects)
    return TestResult(test.title, test.place, failures, rejects)


# -- the flows -----------------------------------------------------------------------------------


class Gathered:
    """The end of a flow that a test reads."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.rows: list[Values] = []
        self.rejects: list[Reject] = []

    async def run(self, rows: AsyncIterator[Batch]) -> None:
        async for batch in rows:
            for item in batch:
                if isinstance(item, Row):
                    self.tally.entered += 1
                    self.tally.passed += 1
                    self.rows.append(item.values)
                elif isinstance(item, Reject):
                    self.rejects.append(item)


class Given:
    """The rows that a test gives, as a source."""

    share = None

    def __init__(self, rows: Batch) -> None:
        self._rows = rows

    async def __aiter__(self) -> AsyncIterator[Batch]:
        yield self._rows


def _frame(
    program: graph.Graph,
    test: graph.TestDef,
    params: Mapping[str, Any],
    environ: Mapping[str, str],
    settings: Settings,
) -> Frame:
    """The program whose sinks are the flows that the test reads."""
    project = find_project(Path(program.file))
    check_trust((_inside(program, test), replace(test, nodes=())), settings, project.root)
    values = bind_params(program, params, environ)
    expressions = Expressions(program.defs, values, environ)
    nodes = (*test.nodes, *(_end(name, node, test) for name, node in test.flows))
    ends = tuple(range(len(test.nodes), len(nodes)))
    program = unroll(replace(program, nodes=nodes, sinks=ends), expressions.constant)
    settings = settings.model_copy(update={"seed": 0, "sample": None})
    wiring = wire(program, program.sinks)
    return Frame(program, wiring, values, expressions, project, settings)


def _inside(program: graph.Graph, test: graph.TestDef) -> graph.Graph:
    """The program without its sources and sinks, whose Python no test runs."""
    outside = (graph.SourceNode, graph.SinkNode)
    return replace(program, nodes=tuple(n for n in test.nodes if not isinstance(n, outside)))


def _end(name: str, node: int, test: graph.TestDef) -> graph.SinkNode:
    row = test.nodes[node].row
    return graph.SinkNode(name, node, "", None, (), None, (), (), row, test.place)


async def _gather(frame: Frame, test: graph.TestDef) -> dict[str, Gathered]:
    """The flows that the test reads, by name, run to their end."""
    given = {test.nodes[rows.source].place: rows.value for rows in test.given}
    fed: dict[int, Part] = {}
    gathered: dict[int, Gathered] = {}
    for index, node in frame.nodes():
        if isinstance(node, graph.SourceNode):
            fed[index] = Feed(Given(_rows(node, given, frame.expressions)))
        elif isinstance(node, graph.SinkNode):
            gathered[index] = Gathered()
    between = tuple(at for at in frame.wiring.nodes if at not in fed and at not in gathered)
    inner = replace(frame, wiring=replace(frame.wiring, nodes=between))
    parts = assemble(inner, Inputs({}, {}), _models(frame, test), _Unheard())
    listed = frozenset(answers.prompt for answers in test.answers if answers.listed)
    parts = in_turn(frame.program.nodes, parts, listed)
    with unwrapped():
        await Executor(frame.program, frame.wiring, {**fed, **parts, **gathered}).run()
    return {graph.label_of(frame.program.nodes[at]): one for at, one in gathered.items()}


def _models(frame: Frame, test: graph.TestDef) -> Models:
    stand_ins = StandIns(frame.program.models, frame.expressions)
    lines = {answers.prompt: Lines(answers, frame.expressions) for answers in test.answers}
    script = Script(frame.program.prompts, lines)
    return Models(script, stand_ins.sampling, lambda names: AT_ONCE, stand_ins.vectors)


class _Unheard:
    """Whom sinks tell what they wrote; a test has none."""

    def rejected(self, reject: Reject) -> None: ...

    def written(self, path: Path, rows: int) -> None: ...


def _rows(
    node: graph.SourceNode, given: Mapping[graph.Place, graph.Expr], expressions: Expressions
) -> Batch:
    """The rows that stand for a source, told apart by their content as those of ``rows`` are."""
    try:
        records = expressions.constant(given[node.place])
    except NoValue as reason:
        raise UsageError(f"what is given for source `{node.name}` has no value: {reason}") from None
    return [_row(node, record, at) for at, record in enumerate(records)]


def _row(node: graph.SourceNode, record: Any, at: int) -> Row:
    place = f"{node.name}[{at}]"
    try:
        values = row_fitter(node.row)(record)
    except Misfit as wrong:
        raise UsageError(f"`{place}{wrong.path}` as given: {wrong.message}") from None
    return Row(values, key_of(identity_of(record)), place)


# -- what is expected ----------------------------------------------------------------------------


def _failures(
    test: graph.TestDef, expressions: Expressions, gathered: Mapping[str, Gathered]
) -> Iterator[Failure]:
    rows = {name: one.rows for name, one in gathered.items()}
    for expect in test.expects:
        text, message = expect.whole.text, None
        try:
            if _value(expect.whole.value, expressions, rows):
                continue
        except NoValue as reason:
            message = f"it has no value: {reason}"
        values = tuple(_values(expect, expressions, rows))
        yield Failure(expect.place, text, message, values=values)


def _values(
    expect: graph.Expect, expressions: Expressions, rows: Mapping[str, list[Values]]
) -> Iterator[tuple[str, Any]]:
    """The parts that have a value; the text after an ``and`` that was false may have none."""
    for part in expect.parts:
        try:
            yield part.text, _value(part.value, expressions, rows)
        except NoValue:
            continue


def _value(expr: graph.Expr, expressions: Expressions, rows: Mapping[str, list[Values]]) -> Any:
    """The value of an expression over flows, which are its locals."""
    for name in reversed([*rows]):
        expr = graph.Lambda(name, expr)
    value = expressions.over(expr, b"expect")(Row({}, b"", ""))
    for name in rows:
        value = value(rows[name])
    return value
