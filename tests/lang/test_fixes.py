"""Safe fixes: they mend what they are for, break nothing, and do not step on one another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dpipe.lang.codes import CODES
from dpipe.lang.diagnostics import Diagnostic, Edit, Fix
from dpipe.lang.fix import apply_fixes
from dpipe.lang.format import format_text
from dpipe.lang.source import Source
from tests.lang.test_pages import compiled, page

SOURCE = Source("a", "one two three")


def finding(*edits: tuple[int, int, str], safe: bool = True, file: str = "a") -> Diagnostic:
    span = SOURCE.span(edits[0][0], edits[0][1])
    made = tuple(Edit(SOURCE.span(a, b)._replace(file=file), text) for a, b, text in edits)
    return Diagnostic("W0202", "", span, fixes=(Fix("", made, safe),))


def fixed(*findings: Diagnostic) -> str:
    return apply_fixes(findings, {"a": SOURCE}).texts.get("a", SOURCE.text)


def test_edits_are_made_wherever_they_stand() -> None:
    assert fixed(finding((8, 13, "3")), finding((0, 3, "1"), (4, 7, "2"))) == "1 2 3"


def test_what_overlaps_is_left_for_the_next_time() -> None:
    done = apply_fixes([finding((0, 5, "x")), finding((4, 7, "y"))], {"a": SOURCE})
    assert done.texts == {"a": "xwo three"}
    assert len(done.mended) == 1


def test_a_fix_is_made_as_a_whole_or_not_at_all() -> None:
    assert fixed(finding((4, 7, "x")), finding((0, 3, "1"), (5, 6, "y"))) == "one x three"


def test_two_insertions_at_one_place_wait_for_each_other() -> None:
    assert fixed(finding((4, 4, "x ")), finding((4, 4, "y "))) == "one x two three"


def test_what_is_not_safe_or_of_another_file_is_left() -> None:
    assert fixed(finding((0, 3, "1"), safe=False), finding((4, 7, "2"), file="b")) == SOURCE.text


@pytest.mark.parametrize("code", [code for code in CODES if not code.startswith("P")])
def test_a_safe_fix_mends_the_example_of_its_page(code: str) -> None:
    files = page(code).told
    before = compiled(files)
    done = apply_fixes(before.diagnostics, before.sources)
    if not done.texts:
        return
    files = {**files, **{file: text.encode() for file, text in done.texts.items()}}
    after = compiled(files)
    assert [d for d in after.diagnostics if d.code == code] == []
    assert {d.code for d in after.diagnostics} <= {d.code for d in before.diagnostics}
    for text in done.texts.values():
        assert format_text(Source("a", text))


@pytest.mark.parametrize("code", [code for code in CODES if not code.startswith("P")])
def test_each_fix_of_a_page_ends_its_finding(code: str) -> None:
    """Those for an editor too, which are not made by themselves."""
    told = page(code).told
    before = compiled(told)
    for found in (*before.diagnostics, *before.notes):
        for fix in found.fixes:
            alone = replace(found, fixes=(replace(fix, safe=True),))
            done = apply_fixes([alone], before.sources)
            made = {file: text.encode() for file, text in done.texts.items()}
            after = compiled({**told, **made})
            left = [(d.code, d.message) for d in (*after.diagnostics, *after.notes)]
            assert (found.code, found.message) not in left
            assert [c for c, _ in left if c[0] == "E" and c < "E02"] == []  # it still parses


def test_a_good_share_of_the_codes_has_a_safe_fix() -> None:
    found = [compiled(page(code).told).diagnostics for code in CODES]
    safe = [d for ds in found for d in ds if any(fix.safe for fix in d.fixes)]
    assert len(safe) >= 10
