"""Findings as people and programs get them."""

from __future__ import annotations

import json

from dpipe.lang.diagnostics import Bag, Diagnostic, Edit, Fix, Label
from dpipe.lang.parse import parse_module
from dpipe.lang.render import render, summary
from dpipe.lang.source import Source

TEXT = """dpipe 1
flow pairs = docs
  | ask(make_qa, using: gen
  | unnest(.qa)
"""


def checked(text: str) -> tuple[list[Diagnostic], dict[str, Source]]:
    source, bag = Source("broken.dpipe", text), Bag()
    parse_module(source, bag)
    return list(bag), {source.file: source}


def finding(text: str, marked: str, message: str = "wrong") -> tuple[Diagnostic, dict[str, Source]]:
    """A finding at the first place of some text."""
    source = Source("a.dpipe", text)
    start = source.text.index(marked)
    span = source.span(start, start + len(marked))
    return Diagnostic("E0113", message, span), {source.file: source}


def shown(text: str, marked: str) -> list[str]:
    """The excerpt's lines: source and marks, behind the margin."""
    found, sources = finding(text, marked)
    lines = render([found], sources).splitlines()
    return [line[4:].removeprefix(" ") for line in lines[3:-2]]


def test_text_shows_the_line_the_mark_the_labels_and_the_way_out() -> None:
    assert render(*checked(TEXT)) == (
        "error[E0104]: unclosed `(`\n"
        "  --> broken.dpipe:3:8\n"
        "   |\n"
        " 3 |   | ask(make_qa, using: gen\n"
        "   |        ^ opened here\n"
        " 4 |   | unnest(.qa)\n"
        "   |   - stage starts here\n"
        "   = help: add `)` before this stage\n"
        "\n"
        "1 error, 0 warnings in 1 file\n"
    )


def test_lines_that_are_left_out_between_marks_are_dots() -> None:
    text = "dpipe 1\nflow a = b\n  | c(\n      1,\n      2,\n  | d\n"
    lines = render(*checked(text)).splitlines()
    assert lines[3:8] == [
        " 3 |   | c(",
        "   |      ^ opened here",
        "...",
        " 6 |   | d",
        "   |   - stage starts here",
    ]


def test_the_margin_fits_the_longest_line_number() -> None:
    found, sources = finding("\n" * 1233 + "abc", "b")
    assert render([found], sources).splitlines()[1:4] == [
        "    --> a.dpipe:1234:2",
        "     |",
        "1234 | abc",
    ]


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert shown('漢字 = "x"', "x") == ['漢字 = "x"', "        ^"]
    assert shown("e\u0301 x", "x") == ["e\u0301 x", "  ^"]


def test_tabs_are_shown_as_four_columns() -> None:
    assert shown("\ta\tb", "b") == ["    a    b", "         ^"]


def test_control_characters_are_shown_by_their_codes() -> None:
    assert shown("a\x1b[31m\u202eb", "b") == ["a\\u{1b}[31m\\u{202e}b", " " * 19 + "^"]
    found, sources = finding("a", "a", "unexpected `\x1b[31m`")
    assert "\x1b" not in render([found], sources) + render([found], sources, "short")


def test_a_span_over_lines_shows_both_ends() -> None:
    assert shown("a (b,\n  c) d", "(b,\n  c)") == ["a (b,", "  ^^^", "  c) d", "  ^^"]


def test_an_empty_span_still_has_a_mark() -> None:
    source = Source("a.dpipe", "")
    text = render([Diagnostic("E0002", "no edition", source.span(0, 0))], {"a.dpipe": source})
    assert "  --> a.dpipe:1:1\n   |\n 1 |\n   | ^\n" in text


def test_a_line_too_long_for_a_screen_is_cut_around_the_mark() -> None:
    source, mark = shown("a" * 5000 + "!" + "b" * 5000, "!")
    assert len(source) < 130
    assert source[0] == source[-1] == "…"
    assert source[mark.index("^")] == "!"


def test_labels_in_other_files_are_named_with_their_place() -> None:
    found, sources = finding("abc", "b")
    other = Source("b.dpipe", "x\nyz")
    label = Label(other.span(3, 4), "declared here")
    text = render(
        [Diagnostic("E0113", "wrong", found.span, (label,))], {**sources, "b.dpipe": other}
    )
    assert "   = b.dpipe:2:2: declared here\n" in text


def test_a_file_whose_text_is_not_known_is_only_named() -> None:
    found, _ = finding("abc", "b")
    assert (
        render([found], {})
        == "error[E0113]: wrong\n  --> a.dpipe\n\n1 error, 0 warnings in 0 files\n"
    )


def test_color_adds_only_escape_sequences() -> None:
    import re

    colored = render(*checked(TEXT), color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(*checked(TEXT))


def test_short_is_a_line_each_and_the_summary() -> None:
    assert render(*checked(TEXT), "short") == (
        "broken.dpipe:3:8: E0104 unclosed `(`\n1 error, 0 warnings in 1 file\n"
    )


def test_the_summary_counts_and_speaks_properly() -> None:
    found, sources = checked(
        'dpipe 1\nprompt p(a: str) -> str { user: "{ a } {a[0]}" x }\nflow a = \n'
    )
    assert summary(found, sources) == "2 errors, 2 warnings in 1 file"
    assert summary([], {}) == "0 errors, 0 warnings in 0 files"


def test_findings_are_sorted_by_file_and_place() -> None:
    first, sources = finding("abc", "a")
    second, _ = finding("abc", "c")
    assert render([second, first], sources, "short").startswith("a.dpipe:1:1: E0113")


def test_json_has_every_fact_with_lines_from_one_and_offsets_in_code_points() -> None:
    found, sources = checked("dpipe 1\nflow 漢 = a\n  | keep(.a .b)\n")
    told = json.loads(render(found, sources, "json"))
    assert told["version"] == 1
    assert told["summary"] == {"errors": 1, "warnings": 0, "files": 1}
    [one] = told["diagnostics"]
    assert one == {
        "code": "E0109",
        "name": "missing-comma",
        "severity": "error",
        "message": "missing `,`; add `,` before `.b`",
        "file": "broken.dpipe",
        "span": {
            "start": {"line": 3, "column": 13, "offset": 31},
            "end": {"line": 3, "column": 15, "offset": 33},
        },
        "label": None,
        "related": [],
        "help": None,
        "suggestions": [],
        "fixes": [
            {
                "title": "add `,`",
                "safe": True,
                "edits": [
                    {
                        "span": {
                            "start": {"line": 3, "column": 12, "offset": 30},
                            "end": {"line": 3, "column": 12, "offset": 30},
                        },
                        "text": ",",
                    }
                ],
            }
        ],
        "url": "lang/errors/E0109.md",
    }


def test_json_tells_a_label_at_the_place_itself_apart_from_related_ones() -> None:
    [one] = json.loads(render(*checked(TEXT), "json"))["diagnostics"]
    assert one["label"] == "opened here"
    assert [related["message"] for related in one["related"]] == ["stage starts here"]


def test_sarif_has_rules_regions_related_places_and_fixes() -> None:
    log = json.loads(render(*checked(TEXT), "sarif"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    [rule] = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["name"]) == ("E0104", "unclosed-bracket")
    [result] = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("E0104", 0, "error")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "broken.dpipe"
    assert place["region"] == {"startLine": 3, "startColumn": 8, "endLine": 3, "endColumn": 9}
    assert result["relatedLocations"][0]["message"]["text"] == "stage starts here"
    [change] = result["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": ")"}


def test_a_sarif_fingerprint_stays_when_lines_are_added_above() -> None:
    def fingerprint(text: str) -> str:
        [result] = json.loads(render(*checked(text), "sarif"))["runs"][0]["results"]
        return str(result["partialFingerprints"]["dpipe/v1"])

    assert fingerprint(TEXT) == fingerprint(TEXT.replace("flow", "# more\n\nflow"))
    assert fingerprint(TEXT) != fingerprint(TEXT.replace("gen", "other"))


def test_a_workflow_command_carries_the_place_and_escapes_its_text() -> None:
    found, sources = finding("abc", "b", "100%: a\nb")
    assert render([found], sources, "github") == (
        "::error title=dpipe (E0113),file=a.dpipe,line=1,col=2,endLine=1,endColumn=3"
        "::100%25: a%0Ab\n"
    )


def test_a_workflow_command_over_lines_has_no_columns() -> None:
    found, sources = finding("a\nb", "a\nb")
    assert render([found], sources, "github") == (
        "::error title=dpipe (E0113),file=a.dpipe,line=1,endLine=2::wrong\n"
    )


def test_a_fix_without_a_known_file_is_left_out_of_sarif() -> None:
    found, sources = finding("abc", "b")
    fix = Fix("x", (Edit(found.span, "y"),))
    log = render([Diagnostic("E0113", "wrong", found.span, (), None, (fix,))], {}, "sarif")
    [result] = json.loads(log)["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]
    assert sources
