from __future__ import annotations

import pytest

from dpipe.cli import amounts


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (999.6, "1.0k"), (1234, "1.2k"), (84_000, "84k"), (1.25e6, "1.2M")],
)
def test_large_numbers_are_four_signs_at_most(number: float, text: str) -> None:
    assert amounts.short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_have_the_unit_that_matters(seconds: float, text: str) -> None:
    assert amounts.duration(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.00123, "$0.0012"), (0.42, "$0.42"), (3.5, "$3.50"), (1204.4, "$1,204")],
)
def test_small_sums_keep_two_digits(dollars: float, text: str) -> None:
    assert amounts.money(dollars) == text


def test_one_has_no_plural() -> None:
    assert (amounts.count(1, "row"), amounts.count(1200, "row")) == ("1 row", "1,200 rows")
