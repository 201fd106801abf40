"""Near-duplicates: which kept text shares most of its shingles with a new one.

A shingle is two words in a row; where words are not spaced, two characters. Min-hashes in bands
(locality-sensitive hashing) find candidates, and each is verified on the true Jaccard similarity
of the shingles: what is called alike is. A text at the threshold is missed with a probability
below ``MISSED``, a nearer one with less. Everything hangs on the texts and their order alone.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from hashlib import blake2b
from math import ceil, log, log1p
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpipe.runtime.text import folded, words

MISSED = 0.001
_MOST_BANDS = 32
_MOST_HASHES = 128
_BLOCK = 4096
"""Shingles hashed at a time: a whole book needs no more memory than that."""

Hashes: TypeAlias = NDArray[np.uint64]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HIGH = np.uint64(32)


def shingles(text: str) -> Hashes:
    """The distinct shingles as sorted 64-bit hashes; at least one, of an empty text too."""
    text = folded(text)
    units = words(text) or [text]
    hashes = np.fromiter(map(word_hash, units), np.uint64, len(units))
    pairs = hashes[:-1] * _MIX + hashes[1:] if len(hashes) > 1 else hashes
    return np.unique(_mixed(pairs))


@lru_cache(maxsize=1 << 16)
def word_hash(word: str) -> int:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit spread over all: the finalizer of splitmix64."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def jaccard(a: Hashes, b: Hashes) -> float:
    """Shared shingles over all shingles of both; 1.0 of equal texts."""
    shared = _shared(a, b)
    return shared / (len(a) + len(b) - shared)


def _shared(a: Hashes, b: Hashes) -> int:
    at = np.searchsorted(b, a)
    at[at == len(b)] = 0
    return int(np.count_nonzero(b[at] == a))


def banding(threshold: float) -> tuple[int, int]:
    """(bands, rows): the most selective bands that miss texts at the threshold rarely enough.

    Below a threshold of 0.06, which nobody has use for, they miss more.
    """
    best = (min(_bands_of(threshold), _MOST_HASHES), 1)
    for rows in range(2, _MOST_HASHES + 1):
        bands = _bands_of(threshold**rows)
        if bands > _MOST_BANDS or bands * rows > _MOST_HASHES:
            break
        best = (bands, rows)
    return best


def _bands_of(alike: float) -> int:
    """How many bands, each equal with the probability ``alike``, are seldom all unequal."""
    if alike >= 1:
        return 1
    return ceil(log(MISSED) / log1p(-alike)) if alike > 1e-9 else _MOST_HASHES + 1


class MinHashIndex:
    """The kept texts. Memory: the shingles of each, and an entry a band."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._bands, self._rows = banding(threshold)
        random = np.random.Generator(np.random.PCG64(0))
        size = self._bands * self._rows
        self._factors = random.integers(1 << 63, size=size, dtype=np.uint64) * np.uint64(
            2
        ) + np.uint64(1)
        self._summands = random.integers(1 << 63, size=size, dtype=np.uint64)
        self._weights = self._factors.reshape(self._bands, self._rows)
        self._kept: list[Hashes] = []
        self._newest: list[dict[int, int]] = [{} for _ in range(self._bands)]
        self._before = array("q")  # by text and band: the text before in its bucket, or -1

    def add(self, text: str) -> int | None:
        """The first kept text that this one is like, counted from 0; None where it is kept too."""
        found = shingles(text)
        buckets = self._buckets(found)
        for candidate in self._candidates(buckets):
            if self._alike(self._kept[candidate], found):
                return candidate
        self._keep(found, buckets)
        return None

    def _buckets(self, found: Hashes) -> list[int]:
        """One number a band, made of its min-hashes."""
        least = np.full(len(self._factors), np.iinfo(np.uint64).max, np.uint64)
        for start in range(0, len(found), _BLOCK):
            block = found[start : start + _BLOCK, None]
            hashes = (block * self._factors + self._summands) >> _HIGH
            np.minimum(least, hashes.min(axis=0), out=least)
        banded = least.reshape(self._bands, self._rows) * self._weights
        return [int(bucket) for bucket in banded.sum(axis=1, dtype=np.uint64)]

    def _candidates(self, buckets: list[int]) -> list[int]:
        found = set()
        for band, bucket in enumerate(buckets):
            at = self._newest[band].get(bucket, -1)
            while at >= 0:
                found.add(at)
                at = self._before[at * self._bands + band]
        return sorted(found)

    def _alike(self, kept: Hashes, found: Hashes) -> bool:
        small, large = sorted((len(kept), len(found)))
        return small >= self._threshold * large and jaccard(kept, found) >= self._threshold

    def _keep(self, found: Hashes, buckets: list[int]) -> None:
        for newest, bucket in zip(self._newest, buckets, strict=True):
            self._before.append(newest.get(bucket, -1))
            newest[bucket] = len(self._kept)
        self._kept.append(found)
