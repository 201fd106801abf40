"""The runs of words in a text, as numbers: what two texts share is seen at once."""

from __future__ import annotations

import numpy as np

from dpipe.runtime.minhash import word_hash
from dpipe.runtime.text import folded, words

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def ngrams(text: str, n: int) -> list[int]:
    """64-bit hashes of every ``n`` words in a row; of a shorter text one, for all its words.

    A text without words has none.
    """
    found = words(folded(text))
    if not found:
        return []
    hashes = np.fromiter(map(word_hash, found), np.uint64, len(found))
    size = min(n, len(hashes))
    count = len(hashes) - size + 1
    runs = np.full(count, size, np.uint64)
    for at in range(size):
        runs = runs * _FACTOR + hashes[at : at + count]
    listed: list[int] = runs.tolist()
    return listed
