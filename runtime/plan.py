"""What a run will do, worked out before it: settings, sinks, who reads whom.

Pure: no trio, no model, nothing is opened. What the user must mend is a ``UsageError`` here,
before any call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

from msgspec import Struct

from dpipe.lang import graph, types
from dpipe.lang.graph import (
    Graph,
    LeaveNode,
    Node,
    RoundNode,
    SinkNode,
    StageNode,
    inputs_of,
)
from dpipe.runtime.errors import Misfit, Mishaps, NoValue, UsageError
from dpipe.runtime.expressions import Expressions, parts_of
from dpipe.runtime.fit import fit, from_text

# -- settings ------------------------------------------------------------------------------------


def bind_params(
    program: Graph, given: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Every param with its value: the given one, held to its type, else its default.

    Raises ``UsageError`` P0009 for a name that is unknown, a value that does not fit, and a
    param that has neither.
    """
    declared = {param.name: param for param in program.params}
    for name in given:
        if name not in declared:
            raise _unknown(f"the program has no param `{name}`", name, declared, "P0009")
    values = {name: _held(declared[name], value) for name, value in given.items()}
    mishaps = Mishaps()
    for name in declared:
        with mishaps.noted():
            _value(name, declared, values, program, environ)
    mishaps.tell()
    return {name: values[name] for name in declared}


def param_from_text(param: graph.ParamDef, text: str) -> Any:
    """The value that a text of a command line stands for; raises ``UsageError`` P0009."""
    return _held(param, text, from_text)


def _held(param: graph.ParamDef, value: Any, read: Callable[[Any, types.Type], Any] = fit) -> Any:
    try:
        return read(value, param.type)
    except Misfit as wrong:
        raise UsageError(
            f"param `{param.name}{wrong.path}`: {wrong.message}",
            code="P0009",
            hint=f"it is declared at {param.place}",
        ) from None


def _value(
    name: str,
    declared: Mapping[str, graph.ParamDef],
    values: dict[str, Any],
    program: Graph,
    environ: Mapping[str, str],
) -> Any:
    """The value of a param, and before it of those that its default reads."""
    if name in values:
        return values[name]
    param = declared[name]
    if param.default is None:
        raise UsageError(
            f"param `{name}` is not set",
            code="P0009",
            hint=f"add `--{name.replace('_', '-')} …`, a value of type {types.show(param.type)}",
        )
    for other in _params_of(param.default, program):
        _value(other, declared, values, program, environ)
    try:
        value = Expressions(program.defs, values, environ).constant(param.default)
    except NoValue as reason:
        raise UsageError(f"param `{name}` has no value: {reason}", code="P0009") from None
    values[name] = _held(param, value) if not isinstance(value, str) else value
    return values[name]


def _params_of(expr: graph.Expr, program: Graph) -> Iterator[str]:
    if isinstance(expr, graph.Param):
        yield expr.name
    if isinstance(expr, graph.CallDef):
        yield from _params_of(program.defs[expr.function].body, program)
    for part in parts_of(expr):
        yield from _params_of(part, program)


def _unknown(message: str, name: str, known: Iterable[str], code: str | None) -> UsageError:
    names = list(known)
    near = get_close_matches(name, names, n=1)
    listed = f"there is {', '.join(f'`{one}`' for one in names)}" if names else None
    return UsageError(message, code=code, hint=f"did you mean `{near[0]}`?" if near else listed)


def choose_sinks(program: Graph, only: Sequence[str]) -> tuple[int, ...]:
    """The sinks to run, in the order of the program: all, or those that are named.

    Raises ``UsageError`` where there is none: such a program is a module, and makes nothing.
    """
    if not program.sinks:
        raise UsageError(
            "the program has no sink, so a run would make nothing",
            hint='add one, as `sink out = docs | jsonl("out/docs.jsonl")`',
        )
    names = {_sink(program, index).name: index for index in program.sinks}
    for name in only:
        if name not in names:
            raise _unknown(f"the program has no sink `{name}`", name, names, None)
    return tuple(index for name, index in names.items() if not only or name in only)


def _sink(program: Graph, index: int) -> SinkNode:
    node = program.nodes[index]
    assert isinstance(node, SinkNode)
    return node


# -- who reads whom ------------------------------------------------------------------------------


class Edge(Struct, frozen=True, order=True):
    """``reader`` reads ``writer`` as the ``slot``-th of its ``inputs_of``."""

    reader: int
    slot: int
    writer: int


class Wiring(Struct, frozen=True):
    """The nodes that the chosen sinks need, and how rows go between them.

    ``readers`` are in the order of the program; ``rejects_to`` is, per node, the place in them of
    the branch that leads to the first sink, if it can be one behind no ``limit(n)``, and where rows
    are not only looked at; all rows of the nodes ``above_limits`` meet a ``limit(n)``; what leaves
    a loop may come through the nodes that are ``carrying``.
    """

    nodes: tuple[int, ...]
    readers: Mapping[int, tuple[Edge, ...]]
    rejects_to: Mapping[int, int]
    above_limits: frozenset[int]
    carrying: frozenset[int]


def wire(program: Graph, sinks: Sequence[int]) -> Wiring:
    """How the rows of a program go to these sinks."""
    nodes = tuple(sorted(ancestors(program, sinks)))
    readers: dict[int, list[Edge]] = {index: [] for index in nodes}
    for index in nodes:
        for slot, writer in enumerate(inputs_of(program.nodes[index])):
            readers[writer].append(Edge(index, slot, writer))
    edges = {index: tuple(edges) for index, edges in readers.items()}
    return Wiring(
        nodes,
        edges,
        _rejects_to(program, nodes, edges, sinks),
        _above_limits(program, nodes, edges),
        _carrying(program, nodes),
    )


def ancestors(program: Graph, indices: Iterable[int]) -> set[int]:
    """The nodes themselves and all that they are made from."""
    found: set[int] = set()
    waiting = list(indices)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += inputs_of(program.nodes[index])
    return found


def _rejects_to(
    program: Graph,
    nodes: Sequence[int],
    readers: Mapping[int, Sequence[Edge]],
    sinks: Sequence[int],
) -> dict[int, int]:
    """For each node the place of the edge to the first sink.

    One behind a ``limit(n)`` is the last choice: rows that fail once the limit is full are still
    missing elsewhere. Of several edges to the sink it is the one on whose way rows are least often
    only looked at.
    """
    ways: dict[int, Ways] = {index: {place: Way(0, False)} for place, index in enumerate(sinks)}
    found: dict[int, int] = {}
    for index in reversed(nodes):
        if edges := readers[index]:
            onward = [_over(program, edge, ways[edge.reader]) for edge in edges]
            reached = {sink for those in onward for sink in those}
            best = {sink: min(w[sink] for w in onward if sink in w) for sink in reached}
            first = min(reached, key=lambda sink: (best[sink].limited, sink))
            ways[index] = best
            found[index] = next(at for at, w in enumerate(onward) if w.get(first) == best[first])
    return found


class Way(Struct, frozen=True, order=True):
    """A way to a sink: how often rows are only looked at on it, whether a ``limit(n)`` is."""

    looked_at: int
    limited: bool


Ways: TypeAlias = Mapping[int, Way]
"""The best way to each sink, by its place among those chosen."""


def _over(program: Graph, edge: Edge, onward: Ways) -> Ways:
    """The ways of an edge's reader, from before the edge."""
    node = program.nodes[edge.reader]
    looked_at, limited = only_looked_at(node, edge.slot), _limits(node)
    return {
        sink: Way(way.looked_at + looked_at, way.limited or limited) for sink, way in onward.items()
    }


def only_looked_at(node: Node, slot: int) -> bool:
    """Whether a node reads the rows of an input, as of ``against:``, without taking them over."""
    return isinstance(node, StageNode) and slot > 0


def _carrying(program: Graph, nodes: Sequence[int]) -> frozenset[int]:
    """The nodes that see what has left a loop around them."""
    given: dict[int, set[int]] = {}  # by node, the loops of which something may have left
    carrying: set[int] = set()
    for index in nodes:
        node = program.nodes[index]
        loops = {loop for before in inputs_of(node) for loop in given[before]}
        if loops:
            carrying.add(index)
        if isinstance(node, RoundNode) and (node.until is not None or node.keep == "all"):
            loops.add(len(node.rounds))
        elif isinstance(node, LeaveNode):
            loops.discard(len(node.rounds) + 1)
        given[index] = loops
    return frozenset(carrying)


def reading_order(node: Node) -> tuple[int, ...]:
    """The slots of a node's inputs as it reads them, each to its end before the next.

    A stage reads the flows in its arguments before the rows that it works on.
    """
    slots = tuple(range(len(inputs_of(node))))
    return (*slots[1:], slots[0]) if isinstance(node, StageNode) and slots else slots


def unbounded(program: Graph, wiring: Wiring, steps: Collection[int]) -> frozenset[Edge]:
    """The edges that must hold any number of rows, since waiting on them would be a deadlock.

    ``steps`` are the nodes that run inside their writer's ``put``: it waits wherever they do. So
    the edges that matter are those from a task, through steps, to other tasks.

    A reader of several inputs lets those that it reads later wait. Where what waits is a branch
    of a tee, its writer waits, and with it all that is made from the writer. So the writer needs
    the earlier inputs to end first; where that needs the writer itself, however indirectly,
    the branch is let off its bound. Everything else waits, and memory stays bounded.
    """
    before = _read_before(program, wiring)
    needs: dict[int, Bits] = {}
    loose: set[Edge] = set()
    for writer in wiring.nodes:
        edges = [] if writer in steps else list(_through_steps(writer, wiring, steps))
        for edge in edges if len(edges) > 1 else ():
            if _closure(before[edge], needs) >> writer & 1:
                loose.add(edge)
            else:
                needs[writer] = needs.get(writer, 0) | before[edge]
    return frozenset(loose)


Bits: TypeAlias = int
"""A set of nodes, a bit each."""


def _through_steps(writer: int, wiring: Wiring, steps: Collection[int]) -> Iterator[Edge]:
    for edge in wiring.readers[writer]:
        if edge.reader in steps:
            yield from _through_steps(edge.reader, wiring, steps)
        else:
            yield edge


def _read_before(program: Graph, wiring: Wiring) -> dict[Edge, Bits]:
    """For each edge all that must come to its end before what goes over it is read on."""
    made_from: dict[int, Bits] = {}
    for index in wiring.nodes:
        made_from[index] = 1 << index
        for writer in inputs_of(program.nodes[index]):
            made_from[index] |= made_from[writer]
    before: dict[Edge, Bits] = {}
    onward: dict[int, Bits] = {}
    for index in reversed(wiring.nodes):
        onward[index] = 0
        for edge in wiring.readers[index]:
            before[edge] = onward[edge.reader]
            for writer in _inputs_before(program.nodes[edge.reader], edge.slot):
                before[edge] |= made_from[writer]
            onward[index] |= before[edge]
    return before


def _inputs_before(node: Node, slot: int) -> Iterator[int]:
    """The inputs that a node reads to their ends before it reads this one."""
    order = reading_order(node)
    return (inputs_of(node)[earlier] for earlier in order[: order.index(slot)])


def _closure(start: Bits, needs: Mapping[int, Bits]) -> Bits:
    """The nodes, what they need, what that needs."""
    found, waiting = start, list(needs)
    while reached := [writer for writer in waiting if found >> writer & 1]:
        waiting = [writer for writer in waiting if not found >> writer & 1]
        for writer in reached:
            found |= needs[writer]
    return found


def _above_limits(
    program: Graph, nodes: Sequence[int], readers: Mapping[int, Sequence[Edge]]
) -> frozenset[int]:
    """The nodes all of whose rows meet a ``limit(n)`` further down."""
    above: set[int] = set()
    for index in reversed(nodes):
        edges = readers[index]
        if edges and all(
            edge.reader in above or _limits(program.nodes[edge.reader]) for edge in edges
        ):
            above.add(index)
    return frozenset(above)


def _limits(node: Node) -> bool:
    return isinstance(node, StageNode) and node.stage == "limit" and "share" not in node.args
