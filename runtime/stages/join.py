"""``join``: a row for each match in another flow, with its fields."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from dpipe.lang import graph
from dpipe.runtime.equality import frozen
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.learning import Learning, LearningStep
from dpipe.runtime.values import Row, Values, key_of


class Join(LearningStep):
    """``on`` are the fields that both have; null matches nothing.

    ``unmatched`` is what a row without a match is given, None where it does not go on.
    """

    reason = "unmatched"

    def __init__(self, context: StageContext, on: Sequence[str], unmatched: Values | None) -> None:
        super().__init__(context)
        self._on = on
        self._unmatched = unmatched
        self._known: dict[Hashable, list[Row]] = {}

    def learn(self, row: Row) -> None:
        key = self._key(row)
        if key is not None:
            rest = {name: value for name, value in row.values.items() if name not in self._on}
            self._known.setdefault(key, []).append(row.with_values(rest))

    def take(self, row: Row) -> list[Row]:
        matches = self._known.get(self._key(row), [])
        if not matches and self._unmatched is not None:
            return [row.with_values({**self._unmatched, **row.values})]
        return [self._joined(row, other) for other in matches]

    def _key(self, row: Row) -> Hashable | None:
        values: list[Any] = [row.values.get(name) for name in self._on]
        return None if None in values else frozen(values)

    def _joined(self, row: Row, other: Row) -> Row:
        values = {**row.values, **other.values}
        return Row(values, key_of(row.key, "join", other.key), row.place)


def build(node: graph.StageNode, context: StageContext) -> Learning:
    on = node.args["on"]
    assert isinstance(on, graph.Fields)
    left = context.constant(node, "kind", "inner") == "left"
    nulls: Values | None = dict.fromkeys(node.row.names()) if left else None
    return Learning(Join(context, [name for name, _ in on.entries], nulls), "other")
