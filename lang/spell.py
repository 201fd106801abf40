"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate closest to a misspelt word, if it is near enough.

    Near enough is at most a third of the word's length in edits, and at least one edit. Among
    equals the first in the alphabet is taken, so that the answer does not hang on any order.
    """
    limit = max(1, len(word) // 3)
    best: tuple[int, str] | None = None
    for candidate in candidates:
        if candidate == word or abs(len(candidate) - len(word)) > limit:
            continue
        edits = distance(word, candidate)
        if (
            edits <= limit
            and edits < len(candidate)
            and (best is None or (edits, candidate) < best)
        ):
            best = (edits, candidate)
    return best[1] if best else None


def distance(a: str, b: str) -> int:
    """Damerau–Levenshtein: insertions, deletions, replacements and swaps of neighbours."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
