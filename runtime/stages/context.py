"""What a stage is built from, beside its node."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct

from dpipe.lang import graph
from dpipe.runtime.errors import NoValue, UsageError
from dpipe.runtime.expressions import Expressions, OverRow
from dpipe.runtime.figures import Vectors
from dpipe.runtime.values import key_of

T = TypeVar("T")


class StageContext(Struct, frozen=True):
    """``label`` names the stage in rejects and the funnel.

    ``salt`` (``content.salt_of``) stands for the seed and the stage's content: all its chance
    hangs on it and on the rows' identities. ``vectors`` are those of texts, from the run's
    embedders. ``waiting`` gathers what the stage works out of its rows with Python that is
    waited for.
    """

    label: str
    expressions: Expressions
    salt: bytes
    vectors: Vectors | None = None
    waiting: list[OverRow] = []

    def over(self, arg: graph.Arg, place: str = "") -> OverRow:
        """An argument over the row; ``place`` keeps the draws of a stage's arguments apart."""
        assert isinstance(arg, graph.Expr)
        over = self.expressions.over(arg, key_of(self.salt, place))
        if self.expressions.waits(arg):
            self.waiting.append(over)
        return over

    def fields(self, arg: graph.Arg) -> tuple[tuple[str, OverRow], ...]:
        """Labelled expressions over the row."""
        assert isinstance(arg, graph.Fields)
        return tuple((name, self.over(expr, name)) for name, expr in arg.entries)

    def of_other(self, node: graph.StageNode) -> OverRow:
        """The text of a row of another flow: ``on:``, else as the stage reads its own rows."""
        on = node.args.get("on")
        if on is None:
            return self.over(node.args["text"], "text")
        assert isinstance(on, graph.Lambda)
        function = self.expressions.function(on)
        return lambda row: function({}, row.values)

    def constant(self, node: graph.StageNode, name: str, default: T) -> Any | T:
        """A constant argument, ``default`` where it is left out."""
        arg = node.args.get(name)
        if arg is None:
            return default
        assert isinstance(arg, graph.Expr)
        try:
            return self.expressions.constant(arg)
        except NoValue as reason:
            raise UsageError(f"{self.label}: `{name}` has no value: {reason}") from None
