"""Functions of numbers and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from math import hypot, isfinite
from operator import mul

from dpipe.runtime.errors import NoValue


def round_(x: float, digits: int | None = None) -> float:
    """The nearest number with so many digits, halves away from zero as people round.

    An int where ``digits`` is left out; negative digits round to tens, hundreds, ….
    """
    try:
        rounded = Decimal(repr(x)).quantize(Decimal(1).scaleb(-(digits or 0)), ROUND_HALF_UP)
    except InvalidOperation:  # more digits than a decimal holds: nothing to round
        return x if digits is not None else int(x)
    if digits is None:
        return int(rounded)
    number = float(rounded)
    if not isfinite(number):
        raise NoValue("a number too large")
    return number


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of one length."""
    if len(a) != len(b):
        raise NoValue(f"`cosine` of vectors of {len(a)} and {len(b)} numbers")
    sizes = hypot(*a) * hypot(*b)
    if not sizes:
        raise NoValue("`cosine` of a vector without a direction")
    product: float = sum(map(mul, a, b))
    return max(-1.0, min(1.0, product / sizes))
