from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dpipe.cli import console
from tests.cli.cli_driver import Done, Dpipe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 漢字", "plain, ünïcode, 漢字"),
        ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("title\x1b]0;owned\x07", "title\\x1b]0;owned\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
        ("no UTF-8 \udcff", "no UTF-8 \\udcff"),
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


@pytest.mark.parametrize("name", ["q\x1b[31m.dpipe", "q\udcff.dpipe", "q\u202e.dpipe"])
@pytest.mark.parametrize(
    "text", ["dpipe 1\n", "dpipe 1\nsource s = text(", "dpipe 1\nflow f = g\n"]
)
def test_the_name_of_a_file_is_shown_not_sent(
    dpipe: Dpipe, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "importing.dpipe").write_text('dpipe 1\nimport "q\\u{1b}[31m.dpipe" as q\n')
    for style in ("text", "short", "github"):
        told(dpipe("check", ".", "--format", style))
    for style in ("json", "sarif"):  # JSON has its own way to hold them
        json.loads(dpipe("check", ".", "--format", style).out)
    for args in (["fmt", "--check", name], ["fmt", "--diff", name], ["fmt", name], ["fmt", "."]):
        told(dpipe(*args))
    for args in (["run", name], ["test", name], ["show", "types", name], ["runs", name]):
        told(dpipe(*args))
    (tmp_path / name).unlink()
    told(dpipe("check", name))


def told(done: Done) -> None:
    assert "bug" not in done.err
    for char in ("\x1b", "\u202e", "\udcff"):
        assert char not in done.out + done.err
