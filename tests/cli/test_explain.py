from __future__ import annotations

from tests.cli.cli_driver import Dpipe


def test_a_code_is_explained_however_it_is_written(dpipe: Dpipe) -> None:
    done = dpipe("explain", "e0101")
    assert done.code == 0
    assert done.out.startswith("E0101 unterminated-string (error)\n")
    assert "error[E0101]: unterminated string" in done.out


def test_an_unknown_code_is_a_usage_error(dpipe: Dpipe) -> None:
    done = dpipe("explain", "E9999")
    assert done.code == 2
    assert "no diagnostic has the code E9999" in done.err
