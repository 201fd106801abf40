"""A run that is cancelled at any moment goes on, and ends as if it had never been."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.runtime.cancelling import Course


def test_a_run_may_be_cancelled_at_each_instant(tmp_path: Path) -> None:
    course = Course(tmp_path)
    whole, instants, _ = course.unbroken()
    assert sorted(whole) == ["out/first.jsonl", "out/kinds.jsonl", "out/kinds.rejects.jsonl"]
    assert len(instants) > 10
    for instant in instants[:-1]:
        assert course.broken(until=instant) == whole


def test_a_run_may_be_cancelled_before_each_step_of_a_task(tmp_path: Path) -> None:
    """Some of the steps here, and all of them in ``bench/faults.py``."""
    course = Course(tmp_path)
    whole, _, steps = course.unbroken()
    for step in Random(7).sample(range(1, steps - 50), 8):
        assert course.broken(steps=step) == whole
