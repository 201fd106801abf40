from __future__ import annotations

import re
from pathlib import Path

from dpipe.cli.manual import lines_of
from dpipe.lang.diagnostics import Bag
from dpipe.lang.functions import FUNCTIONS
from dpipe.lang.parse import parse_module
from dpipe.lang.prompts import SECTIONS
from dpipe.lang.scan import KEYWORDS
from dpipe.lang.source import Source
from dpipe.lang.stages import ANSWERERS, MODELS, STAGES
from dpipe.lang.typing import SCALARS
from dpipe.lang.words import WORDS
from dpipe.project import bundled
from tests.cli.cli_driver import Dpipe

SPEC = Path(__file__).parents[2] / "SPEC.md"


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


def test_every_word_of_the_language_is_explained() -> None:
    for name in (*KEYWORDS, *SCALARS, *SECTIONS, "concat", "enum", "placeholder"):
        assert list(lines_of(name, 80) or ()), name


def test_the_rules_that_words_name_are_there() -> None:
    spec = SPEC.read_text("utf-8")
    assert [word.name for word in WORDS if f"[{word.rule}]" not in spec] == []


def test_the_form_of_a_declaration_is_one() -> None:
    """It parses; what it names is not declared here, so it is not checked further."""
    for word in WORDS:
        if word.kind == "declaration" and word.name != "dpipe":
            bag = Bag()
            module = parse_module(Source("a.dpipe", f"dpipe 1\n\n{word.form}\n"), bag)
            assert [*bag] == [], word.name
            assert len(module.items) == len(re.findall(r"(?m)^\w", word.form)), word.name


def test_a_module_is_explained_with_what_it_has(dpipe: Dpipe) -> None:
    done = dpipe("explain", "std.text")
    assert done.out.startswith("std.text (module)\n")
    assert "text.clean" in done.out


def test_a_member_of_a_module_is_explained_with_its_signature(dpipe: Dpipe) -> None:
    for name in ("text.clean", "std.text.clean"):
        done = dpipe("explain", name)
        assert done.out.startswith("text.clean (of std.text)\n")
        assert "extern def clean(text: str) -> str" in done.out


def test_all_modules_are_listed(dpipe: Dpipe) -> None:
    done = dpipe("explain", "std")
    assert all(f"std.{name}" in done.out for name in bundled())


def test_what_a_module_lacks_is_told_with_the_nearest(dpipe: Dpipe) -> None:
    done = dpipe("explain", "text.claen")
    assert done.code == 2
    assert "did you mean `text.clean`?" in done.err


def test_the_defaults_of_a_vote_are_told(dpipe: Dpipe) -> None:
    told = " ".join(dpipe("explain", "vote").out.split())
    assert "more than half of what all could give" in told
    assert '("drop")' in told
    assert "In brackets: what is taken where an argument is left out." in told


def test_an_unknown_name_comes_with_the_nearest(dpipe: Dpipe) -> None:
    done = dpipe("explain", "chnk")
    assert done.code == 2
    assert "nothing built in is called `chnk`; did you mean `chunk`?" in done.err


def test_an_unknown_code_is_a_usage_error(dpipe: Dpipe) -> None:
    done = dpipe("explain", "E9999")
    assert done.code == 2
    assert "no diagnostic has the code E9999" in done.err
