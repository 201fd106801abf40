from __future__ import annotations

from dpipe.cli.manual import lines_of
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.stages import ANSWERERS, MODELS, STAGES
from tests.cli.cli_driver import Dpipe


def test_a_code_is_explained_however_it_is_written(dpipe: Dpipe) -> None:
    done = dpipe("explain", "e0101")
    assert done.code == 0
    assert done.out.startswith("E0101 unterminated-string (error)\n")
    assert "error[E0101]: unterminated string" in done.out


def test_a_stage_is_explained_with_its_arguments_and_its_row(dpipe: Dpipe) -> None:
    done = dpipe("explain", "dedup")
    assert done.code == 0
    assert done.out.startswith("dedup (stage)\n")
    assert "The row after it: R." in done.out
    assert "by:       what makes two alike" in done.out
    assert "minhash(threshold: 0.0..1.0 = …)" in done.out


def test_a_name_of_two_kinds_is_explained_as_both(dpipe: Dpipe) -> None:
    done = dpipe("explain", "mean")
    assert "mean (function)" in done.out
    assert "mean (aggregate)" in done.out
    assert "mean(xs: [T], f: T -> float = …) -> float" in done.out


def test_every_built_in_name_is_explained() -> None:
    for name in (*STAGES, *FUNCTIONS, *ANSWERERS, *MODELS, "zip", "jsonl", "alpaca", "vendi"):
        assert list(lines_of(name, 80) or ()), name


def test_an_unknown_name_comes_with_the_nearest(dpipe: Dpipe) -> None:
    done = dpipe("explain", "chnk")
    assert done.code == 2
    assert "nothing built in is called `chnk`; did you mean `chunk`?" in done.err


def test_an_unknown_code_is_a_usage_error(dpipe: Dpipe) -> None:
    done = dpipe("explain", "E9999")
    assert done.code == 2
    assert "no diagnostic has the code E9999" in done.err
