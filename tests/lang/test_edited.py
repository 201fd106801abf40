"""A program that is checked while it is edited: as quick as possible, and as if it were new."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpipe.lang import parse
from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.diagnostics import Bag
from dpipe.lang.parse import parse_module, read_module
from dpipe.lang.pieces import moved
from dpipe.lang.scan import Token, scan, stretches
from dpipe.lang.source import Source
from tests.lang.programs import STD, load_std

FOLDER = Path(__file__).parent.parent / "programs"
PROGRAMS = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.dpipe"))}
TYPED = (
    *"\n \t\"'(){}[]|,:.=#\\\r;é0a_", '"""', "\\\n", "\n\n", "  ", "dpipe 1\n", "dpipe 9\n",
    "\ntype X = ", "\nflow ", "\nmodel m = ", "\nsnik out = ", "type ", "import std.text\n",
    'import "./qa.dpipe" as qa\n', "# dpipe: allow W0302 because\n", "# text\n", "ask(", "null",
    "`", "“x”", "&&", "1_", ".5", "{x}",
)  # fmt: skip


def compiled(files: dict[str, str], before: Compiled | None = None) -> Compiled:
    def load(path: str) -> bytes:
        if path.startswith("<std>"):
            return load_std(path)
        if path not in files:
            raise FileNotFoundError(2, "no such file", path)
        return files[path].encode()

    return compile_program("main.dpipe", load, STD, before)


def told(found: Compiled) -> tuple[object, ...]:
    return found.diagnostics, found.notes, found.rows, found.graph, found.tests


@st.composite
def edits(draw: st.DrawFn, text: str) -> str:
    """The text after one edit, as it is made by hand or by an editor's command."""
    at = draw(st.integers(0, len(text)))
    match draw(st.sampled_from(("type", "delete", "replace", "cut lines", "move declaration"))):
        case "type":
            return text[:at] + draw(st.sampled_from(TYPED)) + text[at:]
        case "delete":
            return text[:at] + text[at + draw(st.sampled_from((1, 1, 2, 5, 40))) :]
        case "replace":
            tokens = scan(Source("t", text)).tokens or [Token("NAME", "", 0, 0)]
            token = tokens[at * (len(tokens) - 1) // max(len(text), 1)]
            other = draw(st.sampled_from((*TYPED, tokens[at % len(tokens)].text)))
            return text[: token.start] + other + text[token.end :]
        case "cut lines":
            lines = text.splitlines(keepends=True)
            first = at * len(lines) // (len(text) + 1)
            return "".join(lines[:first] + lines[first + draw(st.integers(1, 4)) :])
        case _:
            parts = text.split("\n\n")
            part = parts.pop(at * len(parts) // (len(text) + 1))
            parts.insert(draw(st.integers(0, len(parts))), part)
            return "\n\n".join(parts)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_check_after_edits_tells_what_a_new_one_does(data: st.DataObject) -> None:
    files = dict(PROGRAMS)
    files["main.dpipe"] = files[data.draw(st.sampled_from(sorted(files)))]
    last = compiled(files)
    for _ in range(6):
        name = data.draw(st.sampled_from(("main.dpipe", "main.dpipe", "models.dpipe")))
        files[name] = data.draw(edits(files[name]))
        last = compiled(files, last)
        assert told(last) == told(compiled(files))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_is_scanned_alike_in_one_and_in_stretches(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(sorted(PROGRAMS.values())))
    for _ in range(data.draw(st.integers(1, 8))):
        text = data.draw(edits(text))
    source = Source("t", text)
    whole, parts = scan(source), [scan(source, *stretch) for stretch in stretches(source)]
    assert whole.tokens == [token for part in parts for token in part.tokens]
    assert whole.comments == [comment for part in parts for comment in part.comments]
    assert [*whole.diagnostics] == [found for part in parts for found in part.diagnostics]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("type A = int", "type A = str"),
        ("# one\n\ntype A = int", "type A = int"),
        ('type A = int\n\ntype B = { a: int """ }', 'type A = { a: int """ }\n\ntype B = int'),
        ("type A = int\n\ntype A = int", "type A = int"),
        ("type A = int", "type A = int\n\ntype A = int\n\ntype A = int\n\ntype B = A"),
        ('param a: str = "x', 'param b: int = 1\nparam a: str = "x'),
        ('model m = openai("x\\\ntype A = int")', '# \nmodel m = openai("x\\\ntype A = int")'),
        ("type A = int\n  type B = int", "\n\ntype A = int\n  type B = int"),
        ("type A = int\ntpye B = int", "\ntype A = int\ntpye B = int"),
    ],
)
def test_some_edits(before: str, after: str) -> None:
    first, second = {"main.dpipe": f"dpipe 1\n{before}\n"}, {"main.dpipe": f"dpipe 1\n{after}\n"}
    for one, two in ((first, second), (second, first)):
        assert told(compiled(two, compiled(one))) == told(compiled(two))


def test_only_the_declaration_that_was_edited_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "".join(f"type T{n} = {{ a: int }}\n\n" for n in range(50))
    last = compiled({"main.dpipe": f"dpipe 1\n\n{text}"})
    read: list[str] = []
    scanned = parse.scan

    def counting(source: Source, start: int, end: int) -> object:
        read.append(source.text[start:end])
        return scanned(source, start, end)

    monkeypatch.setattr(parse, "scan", counting)
    edited = text.replace("T7 = { a: int }", "T7 = { a: str, b: int }")
    compiled({"main.dpipe": f"dpipe 1\n\n{edited}"}, last)
    assert [part for part in read if part.startswith("type")] == [
        "type T7 = { a: str, b: int }\n\n"
    ]


def test_what_is_kept_is_what_the_last_check_read() -> None:
    last = None
    for number in range(5):
        last = compiled({"main.dpipe": f"dpipe 1\ntype A = int\ntype B = 1..{number + 2}\n"}, last)
    assert last is not None
    assert list(last.pieces["main.dpipe"]) == ["type A = int\n", "type B = 1..6\n"]


def test_what_was_checked_before_stays_as_it_was() -> None:
    first = compiled({"main.dpipe": "dpipe 1\ntype A = Missing\n"})
    kept = first.diagnostics[0].span
    compiled({"main.dpipe": "dpipe 1\n# more\ntype A = Missing\n"}, first)
    assert first.diagnostics[0].span == kept
    [piece] = first.pieces["main.dpipe"].values()
    assert moved(moved(piece.items, 7), -7) == piece.items != moved(piece.items, 7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_place_of_a_tree_moves(name: str) -> None:
    text = PROGRAMS[name]
    _, pieces = read_module(Source("t", text), Bag(), {})
    longer = Source("t", text.replace("dpipe 1\n", "dpipe 1\n# more\n", 1))
    again, _ = read_module(longer, Bag(), pieces)
    assert again == parse_module(longer, Bag())
    assert longer.text != text
