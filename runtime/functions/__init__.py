"""The built-in functions: what is called for each name of ``lang/functions.py``.

Positional, in the order of the parameters there, None for an argument left out. They raise
``NoValue`` where there is no result, with a reason in the user's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dpipe.runtime.functions import answers, convert, lists, numbers, outside, text

FUNCTIONS: dict[str, Callable[..., Any]] = {
    # lists
    "map": lists.map_,
    "filter": lists.filter_,
    "any": lists.any_,
    "every": lists.every,
    "count": lists.count,
    "mean": lists.mean,
    "sum": lists.sum_,
    "min": lists.min_,
    "max": lists.max_,
    "first": lists.first,
    "last": lists.last,
    "pick": lists.pick,
    "mode": lists.mode,
    "max_by": lists.max_by,
    "min_by": lists.min_by,
    "sort_by": lists.sort_by,
    "distinct": lists.distinct,
    "len": len,
    "zip": lists.zip_,
    "join": lists.join,
    # text
    "trim": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "contains": text.contains,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "matches": text.matches,
    "extract": text.extract,
    "replace": text.replace,
    "split_text": text.split_text,
    "words": text.words,
    # others
    "str": convert.to_str,
    "int": convert.to_int,
    "float": convert.to_float,
    "bool": convert.to_bool,
    "json": convert.from_json,
    "round": numbers.round_,
    "abs": abs,
    "hash": convert.hash_,
    "identity": convert.identity,
    "cosine": numbers.cosine,
    "same_answer": answers.same_answer,
    "normal_answer": answers.normal_answer,
    "env": outside.env,
    "secret": outside.secret,
}
"""``pick`` takes a number in [0, 1) more, ``identity`` a row's key, ``env`` and ``secret`` take
the environment first."""

OF_ROW = frozenset({"pick", "identity"})
"""Those that hang on which row it is, not on its values."""

OUTSIDE = frozenset({"env", "secret"})
"""Those that read the environment, once, before the run."""

PATTERNS = {"matches": 1, "extract": 1}
"""The place of the argument that is a regular expression: a text or a compiled pattern."""
