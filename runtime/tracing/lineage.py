"""Which row came of which: every row that a node hands on has a number, and parents.

A node hands on its rows in one order, whatever else happens. So the number, which tells the node
and how many of its rows came before, is the same each time that a run is gone through.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

Id: TypeAlias = int
"""The ``ordinal``-th row of a node: ``ordinal * nodes + node``. A node's later rows have more."""

_NONE = -1


class Lineage:
    """Eight bytes a row; ``nodes`` stand in topological order."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._first = [array("q") for _ in range(nodes)]
        self._others: list[dict[Id, tuple[Id, ...]]] = [{} for _ in range(nodes)]

    def add(self, node: int, parents: Sequence[Id]) -> Id:
        """The next row of a node, made of these."""
        firsts = self._first[node]
        id = len(firsts) * self._nodes + node
        firsts.append(parents[0] if parents else _NONE)
        if len(parents) > 1:
            self._others[node][id] = tuple(parents[1:])
        return id

    def node_of(self, id: Id) -> int:
        return id % self._nodes

    def parents_of(self, id: Id) -> tuple[Id, ...]:
        ordinal, node = divmod(id, self._nodes)
        first = self._first[node][ordinal]
        return () if first == _NONE else (first, *self._others[node].get(id, ()))

    def above(self, ids: Iterable[Id]) -> frozenset[Id]:
        """The rows themselves, and all that they came of."""
        found: set[Id] = set()
        waiting = list(ids)
        while waiting:
            id = waiting.pop()
            if id not in found:
                found.add(id)
                waiting += self.parents_of(id)
        return frozenset(found)

    def below(self, ids: Collection[Id]) -> frozenset[Id]:
        """The rows themselves, and all that came of them."""
        found = set(ids)
        for node, firsts in enumerate(self._first):
            for ordinal, first in enumerate(firsts):
                if first in found:
                    found.add(ordinal * self._nodes + node)
            joined = self._others[node].items()
            found.update(id for id, others in joined if not found.isdisjoint(others))
        return frozenset(found)
