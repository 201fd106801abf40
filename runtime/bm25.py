"""BM25: texts by the words that they share with a query, rare words before frequent ones.

As in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with
the weight of a word, log(1 + (N - n + 0.5) / (n + 0.5)), that is never negative.
"""

from __future__ import annotations

from array import array
from collections import Counter
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

from dpipe.runtime.cosines import best
from dpipe.runtime.text import folded, terms

K1 = 1.5
"""How much it matters that a word comes again."""

B = 0.75
"""How much longer texts count less."""


class Bm25:
    """``add`` all texts, then ``search``."""

    def __init__(self) -> None:
        self._lengths = array("q")
        self._found: dict[str, tuple[array[int], array[int]]] = {}  # by word: texts, how often
        self._weights: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def add(self, text: str) -> None:
        counts = Counter(terms(folded(text)))
        for term, count in counts.items():
            texts, often = self._found.setdefault(term, (array("q"), array("q")))
            texts.append(len(self._lengths))
            often.append(count)
        self._lengths.append(counts.total())

    def search(self, query: str, top: int) -> list[tuple[int, float]]:
        """Texts that share a word with the query and their scores, best first."""
        scores = np.zeros(len(self._lengths))
        for term, count in Counter(terms(folded(query))).items():
            if term in self._found:
                texts, weights = self._weighted(term)
                scores[texts] += count * weights
        return [(at, float(scores[at])) for at in best(scores, top) if scores[at] > 0]

    def _weighted(self, term: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The texts with a word, and what it adds to their scores."""
        if term not in self._weights:
            found, often = self._found[term]
            texts, counts = np.array(found), np.array(often, np.float64)
            rare = log(1 + (len(self._lengths) - len(texts) + 0.5) / (len(texts) + 0.5))
            weights = rare * counts * (K1 + 1) / (counts + K1 * self._norms[texts])
            self._weights[term] = (texts, weights)
        return self._weights[term]

    @cached_property
    def _norms(self) -> NDArray[np.float64]:
        """For each text how much its length counts against it; 1 of one of usual length."""
        lengths = np.array(self._lengths, np.float64)
        norms: NDArray[np.float64] = 1 - B + B * lengths / lengths.mean()
        return norms
