"""Programs that a check accepts run as it has promised: programs by chance, each with its number.

``python bench/soundness.py COUNT`` tries as many as there is time for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soundness.programs import made
from tests.soundness.promises import broken


@pytest.mark.parametrize("number", range(14))
def test_what_is_accepted_runs_as_promised(number: int, tmp_path: Path) -> None:
    program = made(number)
    assert broken(program, tmp_path) == [], program.text


def test_most_of_what_is_made_is_accepted() -> None:
    program = made(1, stages=12)
    assert program.text.count("\nflow ") > 2 * len(program.refused)
