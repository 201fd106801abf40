"""Aggregates against values computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.runtime.metrics.base import Metric
from dpipe.runtime.metrics.collect import Collect
from dpipe.runtime.metrics.count import Count
from dpipe.runtime.metrics.distinct import Distinct
from dpipe.runtime.metrics.extremes import Max, Min
from dpipe.runtime.metrics.hist import Hist
from dpipe.runtime.metrics.mean import Mean
from dpipe.runtime.metrics.quantile import Quantile
from dpipe.runtime.metrics.shares import Entropy, Simpson
from dpipe.runtime.metrics.sum import Sum
from dpipe.runtime.metrics.vendi import Vendi


def of(metric: Metric, values: Iterable[Any]) -> Any:
    for value in values:
        metric.add(value)
    return metric.result()


@pytest.mark.parametrize(
    ("metric", "result"),
    [
        (Count, 0),
        (Sum, 0),
        (Mean, None),
        (Min, None),
        (Max, None),
        (lambda: Quantile(0.5), None),
        (Hist, []),
        (Entropy, 0.0),
        (Simpson, 0.0),
        (Distinct, 0),
        (Collect, []),
        (Vendi, None),
    ],
)
def test_each_aggregate_of_no_rows_is_defined(metric: Callable[[], Metric], result: Any) -> None:
    assert metric().result() == result


@pytest.mark.parametrize(
    ("metric", "values", "result"),
    [
        (Count(), [1, None, "a"], 3),
        (Sum(), [1, 2, None], 3),
        (Sum(), [0.1] * 10, 1.0),
        (Sum(), [1e16, 1.0, -1e16], 1.0),
        (Sum(), [2**70, 1], 2**70 + 1),
        (Mean(), [1, 2, None, 6], 3.0),
        (Mean(), [0.5], 0.5),
        (Min(), [3, None, 1, 2], 1),
        (Max(), ["a", "c", "b"], "c"),
        (Quantile(0.5), [4, 1, 3, 2], 2.5),
        (Quantile(0.0), [4, 1, None], 1),
        (Quantile(1.0), [4, 1], 4),
        (Quantile(0.25), [7], 7),
        (Entropy(), ["a", "a", "b", "b", None], math.log(2)),
        (Entropy(), ["a", "b", "b", "b"], -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))),
        (Entropy(), [5] * 9, 0.0),
        (Simpson(), ["a", "b", "c", "d"], 0.75),
        (Simpson(), ["a", "b", "b", "b"], 1 - (1 + 9) / 16),
        (Simpson(), [[1], [1]], 0.0),
        (Distinct(), [1, 1.0, True, "1", None, [1], [1], {"a": 1, "b": 2}, {"b": 2, "a": 1}], 5),
        (Collect(), [3, None, 3], [3, None, 3]),
    ],
)
def test_aggregates_equal_what_is_computed_by_hand(
    metric: Metric, values: list[Any], result: Any
) -> None:
    assert of(metric, values) == pytest.approx(result, abs=1e-12)


def test_numbers_are_counted_by_ranges_of_equal_width() -> None:
    assert of(Hist(bins=4), [0, 1, 2.5, 4, 8, None, 8]) == [
        {"low": 0, "high": 2, "count": 2},
        {"low": 2, "high": 4, "count": 1},
        {"low": 4, "high": 6, "count": 1},
        {"low": 6, "high": 8, "count": 2},
    ]
    assert of(Hist(), [3, 3]) == [{"low": 3, "high": 3, "count": 2}]


def test_other_values_are_counted_each_the_most_frequent_first() -> None:
    assert of(Hist(), ["b", "a", True, "a", 1]) == [
        {"value": "a", "count": 2},
        {"value": "b", "count": 1},
        {"value": True, "count": 1},
        {"value": 1, "count": 1},
    ]


@given(st.lists(st.floats(-1e300, 1e300), max_size=30), st.integers(1, 9))
def test_every_number_is_in_one_range(numbers: list[float], bins: int) -> None:
    assert sum(each["count"] for each in of(Hist(bins), numbers)) == len(numbers)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(numbers: list[float], q: float) -> None:
    expected = float(np.quantile(np.array(numbers), q))
    assert of(Quantile(q), numbers) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("vectors", "score"),
    [
        ([[1.0, 0.0]], 1.0),
        ([[1.0, 2.0]] * 700, 1.0),
        ([[1.0, 0.0], [0.0, 5.0]], 2.0),
        ([[1.0, 0.0], [0.0, 1.0]] * 400, 2.0),
        ([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], 3.0),
        ([[1.0, 0.0], None, [1.0, 0.0]], 1.0),
    ],
)
def test_vendi_counts_the_directions_that_differ(vectors: list[Any], score: float) -> None:
    assert of(Vendi(), vectors) == pytest.approx(score)


def test_vendi_of_a_pair_hangs_on_its_cosine() -> None:
    # the eigenvalues of [[1, c], [c, 1]] / 2 are (1 + c) / 2 and (1 - c) / 2
    shares = [(1 + 0.6) / 2, (1 - 0.6) / 2]
    expected = math.exp(-sum(p * math.log(p) for p in shares))
    assert of(Vendi(), [[1.0, 0.0], [0.6, 0.8]]) == pytest.approx(expected)


@pytest.mark.parametrize("n", [5, 40, 300, 700])
def test_both_forms_of_vendi_agree(n: int) -> None:
    vectors = np.random.default_rng(n).normal(size=(n, 12))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(unit @ unit.T / n)
    kept = eigenvalues[eigenvalues > 1e-12]
    expected = math.exp(-float((kept * np.log(kept)).sum()))
    assert of(Vendi(), vectors.tolist()) == pytest.approx(expected, rel=1e-6)
