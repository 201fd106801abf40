"""A value as the text of a table's cell."""

from __future__ import annotations

from typing import Any

from dpipe.lang import types
from dpipe.runtime.errors import Misfit
from dpipe.runtime.fit import field_path, from_text
from dpipe.runtime.sinks.base import encode


def cell(value: Any, field: types.Field) -> str:
    """Texts as they are, null as an empty cell, all else as JSON; raises ``Misfit``.

    In a column of json, a text that would read as something else is JSON too.
    """
    if value is None:
        return ""
    try:
        data = encode(value).decode()
    except Misfit as wrong:
        raise Misfit(field_path(field.name) + wrong.path, wrong.message) from None
    loose = isinstance(field.type, types.Json)
    if isinstance(value, str) and not (loose and from_text(value, types.JSON) != value):
        return value
    return data
