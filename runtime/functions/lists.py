"""Functions of lists. ``f`` None means the element itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import fsum
from typing import Any, TypeAlias

from dpipe.runtime.equality import frozen
from dpipe.runtime.errors import NoValue
from dpipe.runtime.render import kind_of, render

Of: TypeAlias = Callable[[Any], Any] | None
List: TypeAlias = Sequence[Any]


def _each(xs: List, f: Of) -> Iterable[Any]:
    return xs if f is None else map(f, xs)


def _some(xs: List, name: str) -> None:
    if not xs:
        raise NoValue(f"`{name}` of an empty list")


def map_(xs: List, f: Callable[[Any], Any]) -> list[Any]:
    return [f(x) for x in xs]


def filter_(xs: List, f: Callable[[Any], Any]) -> list[Any]:
    return [x for x in xs if f(x)]


def any_(xs: List, f: Of = None) -> bool:
    return any(_each(xs, f))


def every(xs: List, f: Of = None) -> bool:
    return all(_each(xs, f))


def count(xs: List, f: Of = None) -> int:
    return sum(map(bool, _each(xs, f)))


def mean(xs: List, f: Of = None) -> float:
    _some(xs, "mean")
    return _fsum(list(_each(xs, f))) / len(xs)


def sum_(xs: List, f: Of = None) -> float:
    """Exact for ints, correctly rounded for floats."""
    values = list(_each(xs, f))
    return sum(values) if all(isinstance(value, int) for value in values) else _fsum(values)


def _fsum(values: list[Any]) -> float:
    try:
        return fsum(values)
    except OverflowError:
        raise NoValue("a number too large") from None


def min_(xs: List, f: Of = None) -> Any:
    _some(xs, "min")
    return _ordered(min, list(_each(xs, f)))


def max_(xs: List, f: Of = None) -> Any:
    _some(xs, "max")
    return _ordered(max, list(_each(xs, f)))


def first(xs: List) -> Any:
    _some(xs, "first")
    return xs[0]


def last(xs: List) -> Any:
    _some(xs, "last")
    return xs[-1]


def pick(xs: List, chance: float) -> Any:
    """The element that ``chance``, in [0, 1), falls on."""
    _some(xs, "pick")
    return xs[int(chance * len(xs))]


def mode(xs: List, f: Of = None) -> Any:
    """The most frequent value of ``f``; of equally frequent ones the first."""
    _some(xs, "mode")
    values = list(_each(xs, f))
    counts = Counter(map(frozen, values))
    return max(values, key=lambda value: counts[frozen(value)])


def max_by(xs: List, f: Callable[[Any], Any]) -> Any:
    _some(xs, "max_by")
    return _ordered(max, xs, f)


def min_by(xs: List, f: Callable[[Any], Any]) -> Any:
    _some(xs, "min_by")
    return _ordered(min, xs, f)


def sort_by(xs: List, f: Of = None) -> list[Any]:
    """Stable, least first."""
    return _ordered(sorted, xs, f)  # type: ignore[no-any-return]


def _ordered(order: Callable[..., Any], xs: List, f: Of = None) -> Any:
    try:
        return order(xs, key=f)
    except TypeError:
        kinds = sorted({kind_of(value) for value in _each(xs, f)})
        raise NoValue(f"{' and '.join(kinds)} have no order") from None


def distinct(xs: List) -> list[Any]:
    firsts: dict[Any, Any] = {}
    for x in xs:
        firsts.setdefault(frozen(x), x)
    return list(firsts.values())


def zip_(lists: dict[str, List]) -> list[dict[str, Any]]:
    """Records of the elements that stand in the same place; the lists are equally long."""
    sizes = {len(xs) for xs in lists.values()}
    if len(sizes) > 1:
        raise NoValue(f"`zip` of lists of {' and '.join(map(str, sorted(sizes)))} elements")
    return [
        dict(zip(lists, elements, strict=True)) for elements in zip(*lists.values(), strict=True)
    ]


def join(xs: List, sep: str | None = None) -> str:
    return (sep or "").join([x if x.__class__ is str else render(x) for x in xs])
