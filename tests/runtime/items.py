"""What a source gives, for tests of readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from dpipe.lang.types import Record
from dpipe.runtime.sources.base import Context, open_source
from dpipe.runtime.values import Reject, Row


def read(
    reader: Any, folder: Path, row: Record | None = None, /, **args: Any
) -> list[Row | Reject]:
    """Everything that a source gives, run to its end."""

    async def main() -> list[Row | Reject]:
        context = Context("src", folder, folder)
        return [item async for b in open_source(reader, args, context, row) for item in b]

    return trio.run(main)


def told(items: list[Row | Reject]) -> list[Any]:
    """Rows as their values, rejects as ``place: message``."""
    return [
        item.values if isinstance(item, Row) else f"{item.place}: {item.message}" for item in items
    ]
