from __future__ import annotations

import io
from pathlib import Path

import pytest

from dpipe.cli import console
from tests.cli.cli_driver import Dpipe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 漢字", "plain, ünïcode, 漢字"),
        ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("title\x1b]0;owned\x07", "title\\x1b]0;owned\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
    ],
)
def test_control_characters_are_shown_not_sent(text: str, shown: str) -> None:
    assert console.escape(text) == shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert console.has_colour(Terminal())
    assert not console.has_colour(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert not console.has_colour(Terminal())


def test_colour_can_be_asked_for(dpipe: Dpipe, tmp_path: Path) -> None:
    (tmp_path / "wrong.dpipe").write_text("dpipe 1\n\nparam n: strr\n")
    assert "\x1b[" in dpipe("--color", "always", "check").out
    assert "\x1b[" not in dpipe("check").out


def test_the_project_file_may_choose_the_colour_of_a_run(dpipe: Dpipe, tmp_path: Path) -> None:
    program = 'dpipe 1\n\nsource n = repeat(1)\n\nsink out = n | jsonl("out.jsonl")\n'
    (tmp_path / "p.dpipe").write_text(program)
    (tmp_path / "dpipe.toml").write_text('color = "always"\n')
    assert "\x1b[" in dpipe("run", "p.dpipe").out
    assert "\x1b[" not in dpipe("--color", "never", "run", "p.dpipe").out
