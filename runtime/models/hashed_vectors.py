"""Vectors of texts without a model: hashed words and pieces of words, of length 1."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from math import log1p, sqrt
from zlib import crc32

DIMENSIONS = 256

_WORDS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W_]+")


@lru_cache(maxsize=1024)
def _vector(text: str) -> tuple[float, ...]:
    sums = [0.0] * DIMENSIONS
    for piece, count in _pieces(text).items():
        code = crc32(piece.encode("utf-8", "replace"))
        # the sign keeps texts apart that share a place by chance
        weight = log1p(count) if code & 1 else -log1p(count)
        sums[(code >> 1) % DIMENSIONS] += weight
    length = sqrt(sum(x * x for x in sums))
    return tuple(x / length for x in sums) if length else (1.0, *sums[1:])


def vector_of(text: str) -> list[float]:
    """256 numbers whose squares sum to 1; equal texts, equal vectors."""
    return list(_vector(text))


def _pieces(text: str) -> Counter[str]:
    words = _WORDS.findall(text.casefold())
    pieces = Counter(words)
    pieces.update(f"{one} {two}" for one, two in pairwise(words))
    for word in words:
        pieces.update(word[at : at + 4] for at in range(len(word) - 4))
    return pieces
