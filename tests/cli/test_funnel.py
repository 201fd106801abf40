from __future__ import annotations

import click
import pytest

from dpipe.cli.funnel import asked, funnel
from dpipe.runtime.events import ModelCount, NodeCount

LOST = {"failed:truncated": 3, "failed:refused": 2, "outvoted": 1}
NODES = (
    NodeCount("papers", 2, 1, 1, {"failed:error": 1}),
    NodeCount("passages: chunk", 1, 1, 64, {}),
    NodeCount("passages: where", 64, 60, 60, {"filtered": 4}),
    NodeCount(
        "pairs: ask", 60, 54, 54, {"failed:truncated": 3, "failed:refused": 2, "outvoted": 1}
    ),
    NodeCount("dataset", 54, 54, 54, {}),
)


def lines(width: int) -> list[str]:
    return [click.unstyle(line).rstrip() for line in funnel(NODES, width)]


def test_every_stage_tells_what_entered_left_and_why() -> None:
    assert lines(100) == [
        "                     in   out",
        "  papers              2     1  1 failed",
        "  passages  chunk     1    64",
        "            where    64    60  4 filtered",
        "  pairs     ask      60    54  1 out-voted, 5 failed (3 truncated, 2 refused)",
        "  dataset            54    54",
    ]


@pytest.mark.parametrize("width", [50, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, lines(width))) <= width


def test_what_has_no_room_stands_below() -> None:
    narrow = lines(50)
    at = narrow.index("  pairs     ask      60    54")
    assert narrow[at + 1 : at + 3] == [
        "      1 out-voted",
        "      5 failed (3 truncated, 2 refused)",
    ]


def test_names_cannot_move_the_cursor() -> None:
    node = NodeCount("a\x1b[2J: ask", 1, 1, 1, {})
    assert "\x1b[2J" not in "".join(funnel([node], 80))


def test_failed_calls_of_a_model_are_told_by_how_they_failed() -> None:
    model = ModelCount("gen", 60, 0, 0, None, failed={"429": 2, "500": 11, "timeout": 2})
    assert list(asked([model])) == ["  gen: 60 calls; 15 failed: 11 × 500, 2 × 429, 2 × timeout"]
