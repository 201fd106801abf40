"""How texts are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpipe.runtime.chunking import Size, estimated_tokens, sections_of, size_of, spans
from dpipe.runtime.errors import UsageError
from dpipe.runtime.sections import Outline, Span, sections
from dpipe.runtime.sentences import sentences
from tests.runtime.programs import Folder

UNITS = st.sampled_from(["tokens", "chars", "sentences"])
TEXTS = st.lists(
    st.sampled_from(
        [
            "A short sentence. ", "Is it? ", "One\n", "\n\n", "# A title\n", "- an item\n", "\t",
            "3.14 and e.g. this ", "你好。", "模型很大", "```py\nx = 1\ny = 2\n```\n",
            " ", "internationalization" * 3, "Ünïcödé wörds! ", "😀",
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)  # fmt: skip


def cut(text: str, unit: str, most: int, overlap: int = 0) -> list[str]:
    return [text[start:end] for start, end in spans(text, size_of(unit, most, overlap))]


def cut_at_headings(text: str) -> list[str]:
    return [text[start:end] for start, end in sections(text)]


@given(TEXTS, UNITS, st.integers(1, 40))
def test_pieces_join_to_the_text(text: str, unit: str, most: int) -> None:
    pieces = cut(text, unit, most)
    assert "".join(pieces) == (text if text.strip() else "")
    assert all(piece.strip() for piece in pieces)


@given(TEXTS, UNITS, st.integers(2, 40), st.data())
def test_pieces_overlap_or_touch_and_cover_the_text(
    text: str, unit: str, most: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, most - 1))
    pieces = spans(text, size_of(unit, most, overlap))
    assert bool(pieces) == bool(text.strip())
    for before, after in pairwise(pieces):
        assert before.start < after.start <= before.end < after.end
    if pieces:
        assert (pieces[0].start, pieces[-1].end) == (0, len(text))


@given(TEXTS, st.integers(1, 40), st.data())
def test_no_piece_is_larger_than_said(text: str, most: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, most - 1))
    assert all(estimated_tokens(piece) <= most for piece in cut(text, "tokens", most, overlap))
    assert all(len(piece.strip()) <= most for piece in cut(text, "chars", most, overlap))


PROSE = "".join(f"The fox number {n} jumps over the lazy dog of the day. " for n in range(40))


@pytest.mark.parametrize(("unit", "most", "overlap"), [("tokens", 60, 15), ("chars", 300, 80)])
def test_the_overlap_is_really_there(unit: str, most: int, overlap: int) -> None:
    pieces = spans(PROSE, size_of(unit, most, overlap))
    assert len(pieces) > 5
    for before, after in pairwise(pieces):
        repeated = PROSE[after.start : before.end]
        size = estimated_tokens(repeated) if unit == "tokens" else len(repeated)
        assert overlap / 2 < size <= overlap


def test_a_sentence_longer_than_the_overlap_is_repeated_from_a_word_on() -> None:
    pieces = cut("Alpha beta gamma delta. Epsilon zeta eta theta. Iota kappa.", "chars", 40, 10)
    assert pieces[1].startswith("delta. Epsilon")


def test_overlapping_sentences_are_whole() -> None:
    assert cut("One. Two. Three. Four.", "sentences", 2, 1) == [
        "One. Two. ",
        "Two. Three. ",
        "Three. Four.",
    ]


def test_a_short_text_is_one_piece_and_a_blank_one_none() -> None:
    assert cut("Short. And sweet.", "tokens", 800, 80) == ["Short. And sweet."]
    assert cut(" \n ", "chars", 5) == []
    assert cut_at_headings("") == []


def test_pieces_end_with_sentences_where_they_can() -> None:
    pieces = cut(PROSE, "tokens", 60)
    assert all(piece.rstrip().endswith(".") for piece in pieces)


def test_chinese_is_cut_at_its_sentences() -> None:
    text = "模型需要数据。数据从哪里来？我们自己生成！" * 3
    pieces = cut(text, "tokens", 20)
    assert all(piece[-1] in "。？！" for piece in pieces)


def test_a_text_without_any_blank_is_cut_too() -> None:
    assert [len(piece) for piece in cut("x" * 95, "chars", 30)] == [30, 30, 30, 5]


def test_a_code_block_that_fits_is_not_cut() -> None:
    code = "```py\nfor x in xs:\n    print(x). Then\n    y = 1\n```\n"
    text = "Some words before it. " * 5 + "\n" + code + "And words after it. " * 5
    pieces = cut(text, "tokens", 40)
    assert sum(code in piece for piece in pieces) == 1


def test_a_code_block_that_does_not_fit_is_cut_between_lines() -> None:
    code = "```\n" + "".join(f"line_{n} = compute({n})\n" for n in range(50)) + "```\n"
    pieces = cut(code, "tokens", 60)
    assert len(pieces) > 3
    assert all(piece.endswith("\n") for piece in pieces)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Pi is 3.14. Right?", ["Pi is 3.14. ", "Right?"]),
        ("Dr. Smith met J. R. Doe. They spoke.", ["Dr. Smith met J. R. Doe. ", "They spoke."]),
        ("See e.g. this one. And that.", ["See e.g. this one. ", "And that."]),
        ("Wait... no! \"Yes.\" He left.", ["Wait... no! ", '"Yes." ', "He left."]),
        ("It was I. He knew.", ["It was I. ", "He knew."]),
        ("At 5 p.m. we left. Then home.", ["At 5 p.m. we left. ", "Then home."]),
        ("你好。世界！“走吧。”他说", ["你好。", "世界！", "“走吧。”", "他说"]),
        ("no stop\n\nnext paragraph", ["no stop\n\n", "next paragraph"]),
        ("# Title\nText. More", ["# Title\n", "Text. ", "More"]),
        ("List:\n1. One thing\n2. Another", ["List:\n", "1. One thing\n", "2. Another"]),
    ],
)  # fmt: skip
def test_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_long_runs_of_signs_take_no_long_time() -> None:
    text = ("." * 20_000 + "x") + " " * 20_000 + "\n" * 20_000 + "`" * 20_000
    assert "".join(sentences(text)) == text
    assert "".join(cut(text, "tokens", 100)) == text


def test_headings_make_sections_but_not_inside_code() -> None:
    text = "before\n\n# A\ntext\n```\n# no heading\n```\n## B\nmore\n"
    assert cut_at_headings(text) == [
        "before\n\n",
        "# A\ntext\n```\n# no heading\n```\n",
        "## B\nmore\n",
    ]


def test_a_heading_without_text_stands_with_what_follows() -> None:
    assert cut_at_headings("# Book\n\n## One\na\n## Two\nb\n## Three\n") == [
        "# Book\n\n## One\na\n",
        "## Two\nb\n## Three\n",
    ]


@given(TEXTS)
def test_sections_join_to_the_text(text: str) -> None:
    assert "".join(cut_at_headings(text)) == (text if text.strip() else "")


BOOK = "preface\n# Book #\n\n## One\na b c\n```\n# no\n```\nd\n### Deep\ne\n## C#\nf\n#\n"


def test_a_piece_knows_the_headings_over_its_first_words() -> None:
    outline = Outline(BOOK)
    assert {BOOK[slice(*piece)].strip(): outline.over(piece) for piece in sections(BOOK)} == {
        "preface": [],
        "# Book #\n\n## One\na b c\n```\n# no\n```\nd": ["Book", "One"],
        "### Deep\ne": ["Book", "One", "Deep"],
        "## C#\nf\n#": ["Book", "C#"],
    }


def test_pieces_of_a_section_stand_under_its_heading() -> None:
    text = "# A\none two\n## B\nthree"
    pieces = [
        (text[slice(*piece)], Outline(text).over(piece))
        for piece in spans(text, size_of("chars", 8))
    ]
    assert pieces == [
        ("# A\n", ["A"]),
        ("one two\n", ["A"]),
        ("## B\n", ["A", "B"]),
        ("three", ["A", "B"]),
    ]
    assert Outline("plain").over(Span(0, 5)) == []


def test_estimates_are_about_four_characters_a_token_in_english_and_one_in_chinese() -> None:
    english = (
        "Large language models learn from text. What they learn depends on which text they see, "
        "how often they see it, and in which order; so the data deserve as much care as the model."
    )
    assert 3.5 < len(english) / estimated_tokens(english) < 4.8
    assert estimated_tokens("模型需要数据") == 6


# -- sections with a size ------------------------------------------------------------------------


@given(TEXTS, UNITS, st.integers(2, 40), st.data())
def test_sized_sections_cover_the_text_and_fit(
    text: str, unit: str, most: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, most - 1))
    pieces = sections_of(text, size_of(unit, most, overlap))
    assert bool(pieces) == bool(text.strip())
    for before, after in pairwise(pieces):
        assert before.start < after.start <= before.end < after.end
    if pieces:
        assert (pieces[0].start, pieces[-1].end) == (0, len(text))
    if unit == "chars":
        assert all(len(text[start:end].strip()) <= most for start, end in pieces)


def test_small_sections_stand_together_and_a_large_one_behind_them_is_cut() -> None:
    """A section that is too large is cut, whatever comes before it."""
    small = "# One\nFew words.\n# Two\nAnd few more.\n"
    large = "# Long\n" + "This sentence goes on for a while. " * 30
    pieces = [
        (small + large)[slice(*span)] for span in sections_of(small + large, size_of("chars", 200))
    ]
    assert pieces[0] == small
    assert pieces[1].startswith("# Long\n")
    assert len(pieces) > 4
    assert all(len(piece) <= 200 for piece in pieces)
    assert "".join(pieces) == small + large


# -- separators ----------------------------------------------------------------------------------


def behind(text: str, most: int, *separators: str) -> list[str]:
    size = Size(lambda text: range(len(text)), most, 0, separators)
    return [text[start:end] for start, end in spans(text, size)]


def test_the_first_separator_cuts_and_the_next_only_what_does_not_fit() -> None:
    text = "one, two\n\nthree, four, five\n\nsix"
    assert behind(text, 13, "\n\n", ", ") == ["one, two\n\n", "three, four, ", "five\n\nsix"]
    assert behind(text, 40, "\n\n") == [text]
    assert behind("abcdefgh", 3, ",") == ["abc", "def", "gh"]


@given(
    TEXTS,
    st.integers(1, 30),
    st.lists(st.sampled_from(["\n\n", "\n", ". ", "。", " "]), min_size=1),
)
def test_pieces_behind_separators_join_to_the_text(
    text: str, most: int, separators: list[str]
) -> None:
    pieces = behind(text, most, *separators)
    assert "".join(pieces) == (text if text.strip() else "")
    assert all(len(piece.strip()) <= most for piece in pieces)


# -- tokenizers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer whose tokens are bytes: three of a Chinese character."""
    tokenizers: Any = pytest.importorskip("tokenizers")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate(letters)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    path = tmp_path_factory.mktemp("model") / "tokenizer.json"
    made.save(str(path))
    return path


@given(text=TEXTS, most=st.integers(4, 40), data=st.data())
def test_tokens_are_those_of_a_tokenizer_and_no_character_is_cut(
    tokenizer: Path, text: str, most: int, data: st.DataObject
) -> None:
    from dpipe.runtime.tokenizer import token_starts

    overlap = data.draw(st.integers(0, most - 4))
    pieces = spans(text, Size(token_starts(tokenizer), most, overlap))
    for before, after in pairwise(pieces):
        assert before.start < after.start <= before.end < after.end
        assert len(text[after.start : before.end].encode()) <= overlap
    assert all(len(text[start:end].strip().encode()) <= most for start, end in pieces)
    if pieces:
        assert (pieces[0].start, pieces[-1].end) == (0, len(text))


def chunked(root: Path, arguments: str, text: str = "你好，世界。你好。") -> list[str]:
    folder = Folder(root)
    folder.rows("in.jsonl", [{"text": text}])
    folder.run(f"""dpipe 1
source docs: {{ text: str }} = jsonl("in.jsonl")
sink out = docs | chunk(.text, as: .c, {arguments}) | jsonl("out.jsonl")
""")
    return [row["c"] for row in folder.read("out.jsonl")]


def test_a_program_names_its_tokenizer_or_gets_the_estimate(
    tmp_path: Path, tokenizer: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/tokenizer.json").write_bytes(tokenizer.read_bytes())
    whole = "你好，世界。你好。"
    assert chunked(tmp_path, "tokens: 9") == [whole]
    assert chunked(tmp_path, 'tokens: 18, tokenizer: "model"') == ["你好，世界。", "你好。"]
    assert chunked(tmp_path, 'tokens: 9, tokenizer: "model/tokenizer.json"') == [
        "你好，",
        "世界。",
        "你好。",
    ]


def test_a_program_cuts_at_headings_or_separators_to_a_size(tmp_path: Path) -> None:
    text = "# A\none\n# B\ntwo two two\n"
    assert chunked(tmp_path, 'by: "heading", chars: 12', text) == [
        "# A\none\n",
        "# B\n",
        "two two two\n",
    ]
    assert chunked(tmp_path, 'separators: ["|"], chars: 3', "a|b|cd") == ["a|", "b|", "cd"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('tokenizer: "none.json"', "there is no tokenizer `"),
        ('tokenizer: "in.jsonl"', "is no tokenizer of the `tokenizers` library"),
        ('separators: [""]', "a separator is a text, found an empty one"),
        ('by: "heading", overlap: 5', '`overlap:` does not go with `by: "heading"`'),
    ],
)
def test_what_cannot_cut_is_told_before_the_first_row(
    tmp_path: Path, arguments: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chunked(tmp_path, arguments)
    assert message in caught.value.message
