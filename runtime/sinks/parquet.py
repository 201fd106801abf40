"""Parquet."""

from __future__ import annotations

from dpipe.runtime.sinks.table_file import TableFile


class Parquet(TableFile):
    """The whole row a row, a column a field of its type."""
