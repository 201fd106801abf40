"""Which of the program's asks of a prompt a stage is: what tells their equal requests apart.

Asks that read rows of a common source may put the same question, and so may asks whose questions
hang on no row. Among such kin each has a number of its own, the least that no kin before it in
the text has. Asks that are no kin do not know of each other, so a flow put in, taken out or moved
elsewhere changes no draw of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import astuple, replace

from dpipe.lang import graph

Asked = graph.PromptCall | graph.PromptChoice

_IDENTITY = graph.Call("identity", ())
ANY = -1
"""Stands for the source of questions that hang on no row."""


def numbered(nodes: Sequence[graph.Node], needed: int) -> tuple[graph.Node, ...]:
    """The nodes with the ordinals of their prompt calls.

    Those among the first ``needed`` come before all others: what no sink reads, and only a test
    may, changes no number of theirs.
    """
    found = list(nodes)
    sources = _sources(nodes)
    kin: dict[str, list[tuple[frozenset[int], int]]] = {}
    asks = [at for at, node in enumerate(nodes) if isinstance(node, graph.StageNode)]
    for at in sorted(asks, key=lambda at: (at >= needed, astuple(nodes[at].place))):
        node = nodes[at]
        assert isinstance(node, graph.StageNode)
        asked = node.args.get("prompt")
        if isinstance(asked, Asked):
            call = _number(asked, sources[at] or frozenset((ANY,)), kin)
            found[at] = replace(node, args={**node.args, "prompt": call})
    return tuple(found)


def _number(
    asked: Asked, sources: frozenset[int], kin: dict[str, list[tuple[frozenset[int], int]]]
) -> Asked:
    if isinstance(asked, graph.PromptChoice):
        then, otherwise = _number(asked.then, sources, kin), _number(asked.otherwise, sources, kin)
        return replace(asked, then=then, otherwise=otherwise)
    own = sources if any(map(_reads_row, asked.args)) else frozenset((ANY,))
    others = kin.setdefault(asked.prompt, [])
    taken = {ordinal for of, ordinal in others if of & own}
    ordinal = next(number for number in range(len(taken) + 1) if number not in taken)
    others.append((own, ordinal))
    return replace(asked, ordinal=ordinal)


def _reads_row(part: object) -> bool:
    """Whether an expression hangs on the row, or on an element of it."""
    if isinstance(part, graph.Field | graph.Local) or part == _IDENTITY:
        return True
    if isinstance(part, Struct):
        return any(_reads_row(getattr(part, name)) for name in part.__struct_fields__)
    return isinstance(part, tuple) and any(map(_reads_row, part))


def _sources(nodes: Sequence[graph.Node]) -> list[frozenset[int]]:
    """The sources from which the rows of each node come."""
    inside = dict(_entries(nodes))
    found: list[frozenset[int]] = []
    for at, node in enumerate(nodes):
        if isinstance(node, graph.SourceNode):
            found.append(frozenset((at,)))
            continue
        inputs = inside.get(at) or graph.inputs_of(node)
        found.append(frozenset().union(*(found[one] for one in inputs if one < at)))
    return found


def _entries(nodes: Sequence[graph.Node]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where a loop's rows enter its body, and the node that they come from."""
    for node in nodes:
        if isinstance(node, graph.LoopNode):
            yield node.entry, (node.input,)
