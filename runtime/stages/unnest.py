"""``unnest``: a row for each element of a list."""

from __future__ import annotations

from typing import Any

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue
from dpipe.runtime.render import kind_of
from dpipe.runtime.stages.context import StageContext
from dpipe.runtime.stages.step import RowStep
from dpipe.runtime.values import Row, Values


class Unnest(RowStep):
    """The element's fields join the row, or it stands in ``as_``; the list goes.

    ``index`` is the field for the element's place.
    """

    reason = "empty"

    def __init__(
        self, context: StageContext, field: str, as_: str | None, index: str | None
    ) -> None:
        super().__init__(context)
        self._field = field
        self._as = as_
        self._index = index

    def take(self, row: Row) -> list[Row]:
        elements = row.values.get(self._field)
        if not isinstance(elements, list | tuple):
            raise NoValue(f"`.{self._field}` is {kind_of(elements)}, not a list")
        rest = row.values
        if self._as != self._field:
            rest = {name: value for name, value in rest.items() if name != self._field}
        return [row.child(self._joined(rest, e, at), at) for at, e in enumerate(elements)]

    def _joined(self, rest: Values, element: Any, at: int) -> Values:
        place = {} if self._index is None else {self._index: at}
        if self._as is not None:
            return {**rest, self._as: element, **place}
        if not isinstance(element, dict):
            raise NoValue(f"element {at} of `.{self._field}` is {kind_of(element)}, not a record")
        return {**rest, **element, **place}


def build(node: graph.StageNode, context: StageContext) -> Unnest:
    field, as_ = context.constant(node, "field", ""), context.constant(node, "as", None)
    return Unnest(context, field, as_, context.constant(node, "index", None))
