"""The effective number of different texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.float64]]

_BLOCK = 256


class Vendi:
    """The Vendi score of order 1 with the cosine kernel; null of no vectors.

    The exponential of the entropy of the eigenvalues of ``K / n``, where ``K`` holds the cosines
    of all pairs: 1 where all are alike, n where all are orthogonal. D. Friedman and A. B. Dieng,
    The Vendi Score, 2023. Fed with vectors of one length ``d``; a zero vector is like nothing,
    itself aside, and counts as orthogonal to all.

    ``X X'`` (n by n) and ``X' X`` (d by d) have the same eigenvalues apart from zeros, so once
    there are more vectors than dimensions only the sum of outer products is kept: memory is at
    most d by d, whatever n.
    """

    def __init__(self) -> None:
        self._count = 0
        self._block: list[Sequence[float]] = []
        self._vectors: list[Matrix] = []
        self._gram: Matrix | None = None

    def add(self, value: Sequence[float] | None) -> None:
        if value is not None:
            self._count += 1
            self._block.append(value)
            if len(self._block) == _BLOCK:
                self._fold()

    def result(self) -> float | None:
        """Rounded to nine digits, which do not hang on the machine's linear algebra."""
        if not self._count:
            return None
        import numpy as np

        self._fold()
        kept = np.linalg.eigvalsh(self._smaller_gram()) / self._count
        known = kept[kept > 1e-12]
        # The trace is the number of vectors that are not zero; each zero vector adds 1 / n.
        zeros = self._count - round(float(kept.sum()) * self._count)
        entropy = -(known * np.log(known)).sum() + zeros / self._count * np.log(self._count)
        return float(f"{np.exp(entropy):.9g}")

    def _fold(self) -> None:
        """Move the block into the vectors or, once they are many, into the Gram matrix."""
        import numpy as np

        if not self._block:
            return
        block = _unit(np.array(self._block, dtype=np.float64))
        self._block = []
        if self._gram is not None:
            self._gram += block.T @ block
            return
        self._vectors.append(block)
        if self._count > block.shape[1]:
            vectors = np.concatenate(self._vectors)
            self._gram = vectors.T @ vectors
            self._vectors = []

    def _smaller_gram(self) -> Matrix:
        import numpy as np

        if self._gram is not None:
            return self._gram
        vectors = np.concatenate(self._vectors)
        return vectors @ vectors.T


def _unit(vectors: Matrix) -> Matrix:
    """Each row over its length; a zero row stays."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
