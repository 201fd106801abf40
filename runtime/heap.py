"""The garbage collector while rows go through."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (50_000, 20, 20)


@contextmanager
def settled_heap() -> Iterator[None]:
    """What is alive outlives this: the collector leaves it alone, and comes seldom to the rest.

    Rows make next to no cycles, and a line of waiting ones is much to look through. Of runs that
    overlap in one process the first decides.
    """
    before = gc.get_threshold()
    if before == _SELDOM:
        yield
        return
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
