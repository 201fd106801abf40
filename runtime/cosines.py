"""How near vectors are to each other, the same however many are compared at a time.

Vectors are brought to length 1 and rounded to a grid, so fine that it changes no cosine by more
than embedders are precise, and so coarse that every product and sum is exact in double precision:
no order of summation, library or machine makes a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_GRID = 2.0**24
_BLOCK = 8192
"""Vectors that are widened at a time."""

Units: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float64]


def units(vectors: Sequence[Sequence[float]]) -> Units:
    """The vectors at length 1, one a row; one without a direction is like none."""
    if not vectors:
        return np.empty((0, 0), np.float32)
    exact = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled = exact / np.where(lengths == 0.0, 1.0, lengths)
    grid: Units = (np.rint(scaled * _GRID) / _GRID).astype(np.float32)
    return grid


def cosines(many: Units, few: Units) -> Scores:
    """The cosine of each of ``many`` (rows) with each of ``few`` (columns)."""
    wide = few.astype(np.float64).T
    blocks = [
        many[at : at + _BLOCK].astype(np.float64) @ wide for at in range(0, len(many), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, len(few)))


def best(scores: Scores, top: int) -> list[int]:
    """The places of the highest scores, best first, equal ones in their order."""
    if top < len(scores):
        least = np.partition(scores, len(scores) - top)[len(scores) - top]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    order = np.argsort(-scores[places], kind="stable")
    found: list[int] = places[order][:top].tolist()
    return found
