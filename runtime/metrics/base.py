"""What an aggregate is: made with its options, fed values, asked once.

Null is no value: aggregates leave it out, so a judge that failed never counts as 0. NaN does not
occur in rows. What an aggregate of no values gives stands in its docstring.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import msgspec


class Metric(Protocol):
    def add(self, value: Any) -> None: ...

    def result(self) -> Any: ...


def key(value: Any) -> Hashable:
    """Equal for values that are equal in the language: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool | list | dict):
        return msgspec.json.encode(value, order="sorted")
    return value  # type: ignore[no-any-return]
