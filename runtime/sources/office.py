"""What files of Word and Excel have in common."""

from __future__ import annotations

_OLD = b"\xd0\xcf\x11\xe0"
"""How files of Office before 2007 begin, and encrypted ones of today."""


def refuse_other_kinds(start: bytes, suffix: str) -> None:
    """Raises ``ValueError`` for an empty file, an encrypted one, and one of an old Office.

    ``suffix`` is the kind that is wanted, as ``.docx``.
    """
    if not start:
        raise ValueError("the file is empty")
    if start.startswith(_OLD):
        old = suffix[:-1]
        raise ValueError(f"encrypted, or an old `{old}`: save it as `{suffix}` without a password")
