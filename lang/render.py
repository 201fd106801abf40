"""Diagnostics as text for people, and as JSON, SARIF and workflow commands for programs."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from dpipe.lang.codes import CODES
from dpipe.lang.diagnostics import Diagnostic, Fix, Label, Severity
from dpipe.lang.source import Source, Span

Style: TypeAlias = Literal["text", "short", "json", "sarif", "github"]

PAGES = "lang/errors/"  # where each code has its page
_JSON_VERSION = 1
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_COLORS: dict[Severity, str] = {"error": "31", "warning": "33", "info": "36"}
_TAB = 4
_SHOWN = 120  # columns of a line that is too long to be shown whole


def render(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, Source],
    style: Style = "text",
    color: bool = False,
) -> str:
    """The findings in one format, with a line end behind the last line.

    ``sources`` are the files that were looked at, by the name that spans give. Only the styles
    for people end with a summary line.
    """
    found = sorted(diagnostics, key=lambda d: (*d.span, d.code))
    match style:
        case "text":
            blocks = [_Text(sources, color).block(finding) for finding in found]
            return "".join(f"{block}\n\n" for block in blocks) + summary(found, sources) + "\n"
        case "short":
            lines = [_short(finding, sources) for finding in found]
            return "\n".join([*lines, summary(found, sources)]) + "\n"
        case "json":
            return json.dumps(_json(found, sources), ensure_ascii=False, indent=2) + "\n"
        case "sarif":
            return json.dumps(_sarif(found, sources), ensure_ascii=False, indent=2) + "\n"
        case "github":
            return "".join(_github(finding, sources) + "\n" for finding in found)


def summary(found: Sequence[Diagnostic], sources: Mapping[str, Source]) -> str:
    """``2 errors, 1 warning in 3 files``"""
    errors, warnings, notes = _count(found)
    parts = [_counted(errors, "error"), _counted(warnings, "warning")]
    if notes:
        parts.append(_counted(notes, "note"))
    return f"{', '.join(parts)} in {_counted(len(sources), 'file')}"


def _count(found: Sequence[Diagnostic]) -> tuple[int, int, int]:
    severities = [finding.severity for finding in found]
    return severities.count("error"), severities.count("warning"), severities.count("info")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# -- text ----------------------------------------------------------------------------------------


class _Text:
    def __init__(self, sources: Mapping[str, Source], color: bool) -> None:
        self.sources = sources
        self.color = color

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def block(self, finding: Diagnostic) -> str:
        hue = f"1;{_COLORS[finding.severity]}"
        head = self.paint(f"{finding.severity}[{finding.code}]", hue)
        lines = [f"{head}: {self.paint(_escaped(finding.message), '1')}"]
        source = self.sources.get(finding.span.file)
        if source is None:
            lines.append(f"  --> {_escaped(finding.span.file)}")
        else:
            lines += self.excerpt(source, finding, hue)
        if finding.help:
            margin = " " * self.margin(source, finding)
            lines.append(f"{margin} {self.paint('=', '1;34')} help: {_escaped(finding.help)}")
        return "\n".join(line.rstrip() for line in lines)

    def margin(self, source: Source | None, finding: Diagnostic) -> int:
        if source is None:
            return 2
        here = [label.span for label in finding.labels if label.span.file == source.file]
        ends = [source.position(_last(span)).line for span in (finding.span, *here)]
        return max(2, len(str(max(ends))))

    def excerpt(self, source: Source, finding: Diagnostic, hue: str) -> list[str]:
        width = self.margin(source, finding)
        position = source.position(finding.span.start)
        bar = self.paint("|", "1;34")
        arrow = self.paint("-->", "1;34")
        place = f"{_escaped(source.file)}:{position.line}:{position.column}"
        lines = [f"{' ' * width}{arrow} {place}", f"{' ' * width} {bar}"]
        before = 0
        for number, marks in self.marked(source, finding):
            if before and number > before + 1:
                lines.append(self.paint("...", "1;34"))
            before = number
            shown = self.paint(str(number).rjust(width), "1;34")
            window = _Window(source.line(number), marks)
            lines.append(f"{shown} {bar} {window.text}")
            for mark in marks:
                lines.append(f"{' ' * width} {bar} {self.drawn(window, mark, hue)}")
        for label in finding.labels:
            if label.span.file != source.file:
                lines.append(self.elsewhere(width, label))
        return lines

    def marked(self, source: Source, finding: Diagnostic) -> list[tuple[int, list[_Mark]]]:
        """Each line to show with what is marked in it; long spans show their ends."""
        lines: dict[int, list[_Mark]] = {}
        said = ""
        for label in finding.labels:
            if label.span == finding.span:
                said = label.message
        for mark in _marks(source, finding.span, said, "^"):
            lines.setdefault(mark.line, []).append(mark)
        for label in finding.labels:
            if label.span.file == source.file and label.span != finding.span:
                for mark in _marks(source, label.span, label.message, "-"):
                    lines.setdefault(mark.line, []).append(mark)
        return sorted(lines.items())

    def drawn(self, window: _Window, mark: _Mark, hue: str) -> str:
        pad, size = window.columns(mark)
        text = mark.sign * size + (f" {_escaped(mark.message)}" if mark.message else "")
        return " " * pad + self.paint(text, hue if mark.sign == "^" else "1;34")

    def elsewhere(self, width: int, label: Label) -> str:
        other = self.sources.get(label.span.file)
        place = _escaped(label.span.file)
        if other is not None:
            position = other.position(label.span.start)
            place = f"{place}:{position.line}:{position.column}"
        return f"{' ' * width} {self.paint('=', '1;34')} {place}: {_escaped(label.message)}"


class _Mark:
    """Columns of one line, counted from 0, and what stands behind the sign under them."""

    def __init__(self, line: int, start: int, end: int, sign: str, message: str) -> None:
        self.line = line
        self.start = start
        self.end = end
        self.sign = sign
        self.message = message


class _Window:
    """The part of a line that is shown: all of it, unless it is far too long for a screen."""

    def __init__(self, line: str, marks: Sequence[_Mark]) -> None:
        self.line = line
        self.begin, self.end = 0, len(line)
        if len(line) > 2 * _SHOWN:
            self.begin = max(min(mark.start for mark in marks) - _SHOWN // 4, 0)
            self.end = min(self.begin + _SHOWN, len(line))

    @property
    def text(self) -> str:
        head = "…" if self.begin else ""
        tail = "…" if self.end < len(self.line) else ""
        return head + _escaped(self.line[self.begin : self.end]) + tail

    def columns(self, mark: _Mark) -> tuple[int, int]:
        """How far in a mark starts, and how wide it is."""
        start = min(max(mark.start, self.begin), self.end)
        end = min(max(mark.end, start), self.end)
        pad = _width(self.line[self.begin : start]) + bool(self.begin)
        return pad, max(_width(self.line[start:end]), 1)


def _marks(source: Source, span: Span, message: str, sign: str) -> list[_Mark]:
    """One mark, or two for a span over lines: where it starts and where it ends."""
    first, last = source.position(span.start), source.position(_last(span))
    if first.line == last.line:
        end = last.column if span.end > span.start else last.column - 1
        return [_Mark(first.line, first.column - 1, end, sign, message)]
    begin = _Mark(first.line, first.column - 1, len(source.line(first.line)), sign, "")
    text = source.line(last.line)
    margin = len(text) - len(text.lstrip())
    return [begin, _Mark(last.line, min(margin, last.column - 1), last.column, sign, message)]


def _last(span: Span) -> int:
    """The offset of the last character that a span covers."""
    return max(span.end - 1, span.start)


def _escaped(line: str) -> str:
    return "".join(_shown(char) for char in line)


def _shown(char: str) -> str:
    """A character as a terminal may safely get it."""
    if char == "\t":
        return " " * _TAB
    if char.isprintable():
        return char
    point = ord(char)
    return f"\\u{{{point:x}}}"


def _width(text: str) -> int:
    """The terminal columns of a stretch of a line, as it is shown."""
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if char.isascii() and char.isprintable():
        return 1
    if not char.isprintable():
        return len(_shown(char))
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


# -- one line each -------------------------------------------------------------------------------


def _short(finding: Diagnostic, sources: Mapping[str, Source]) -> str:
    place = _place(finding.span, sources)
    return f"{place}: {finding.code} {_escaped(finding.message)}"


def _place(span: Span, sources: Mapping[str, Source]) -> str:
    source = sources.get(span.file)
    if source is None:
        return _escaped(span.file)
    position = source.position(span.start)
    return f"{_escaped(span.file)}:{position.line}:{position.column}"


def _github(finding: Diagnostic, sources: Mapping[str, Source]) -> str:
    """A workflow command; columns count only while the span stays on its line."""
    level = {"error": "error", "warning": "warning", "info": "notice"}[finding.severity]
    fields = {"title": f"dpipe ({finding.code})", "file": _escaped(finding.span.file)}
    source = sources.get(finding.span.file)
    if source is not None:
        start, end = source.position(finding.span.start), source.position(finding.span.end)
        fields["line"] = str(start.line)
        if start.line == end.line:
            fields |= {"col": str(start.column), "endLine": str(end.line)}
            fields["endColumn"] = str(end.column)
        else:
            fields["endLine"] = str(end.line)
    described = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
    message = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    message = "\n".join(map(_escaped, message.split("\n")))
    return f"::{level} {described}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# -- JSON ----------------------------------------------------------------------------------------


def _json(found: Sequence[Diagnostic], sources: Mapping[str, Source]) -> dict[str, Any]:
    errors, warnings, _ = _count(found)
    return {
        "version": _JSON_VERSION,
        "diagnostics": [_json_finding(finding, sources) for finding in found],
        "summary": {"errors": errors, "warnings": warnings, "files": len(sources)},
    }


def _json_finding(finding: Diagnostic, sources: Mapping[str, Source]) -> dict[str, Any]:
    own = [label.message for label in finding.labels if label.span == finding.span]
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "message": finding.message,
        "file": finding.span.file,
        "span": _json_span(finding.span, sources),
        "label": own[0] if own else None,
        "related": [
            {
                "file": label.span.file,
                "span": _json_span(label.span, sources),
                "message": label.message,
            }
            for label in finding.labels
            if label.span != finding.span
        ],
        "help": finding.help,
        "suggestions": list(finding.suggestions),
        "fixes": [_json_fix(fix, sources) for fix in finding.fixes],
        "url": f"{PAGES}{finding.code}.md",
    }


def _json_fix(fix: Fix, sources: Mapping[str, Source]) -> dict[str, Any]:
    edits = [{"span": _json_span(edit.span, sources), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "safe": fix.safe, "edits": edits}


def _json_span(span: Span, sources: Mapping[str, Source]) -> dict[str, Any]:
    return {
        "start": _json_point(span.file, span.start, sources),
        "end": _json_point(span.file, span.end, sources),
    }


def _json_point(file: str, offset: int, sources: Mapping[str, Source]) -> dict[str, int]:
    source = sources.get(file)
    line, column = source.position(offset) if source else (1, 1)
    return {"line": line, "column": column, "offset": offset}


# -- SARIF ---------------------------------------------------------------------------------------


def _sarif(found: Sequence[Diagnostic], sources: Mapping[str, Source]) -> dict[str, Any]:
    codes = sorted({finding.code for finding in found})
    rules = [_sarif_rule(code) for code in codes]
    indexes = {code: index for index, code in enumerate(codes)}
    results = [_sarif_result(finding, indexes, sources) for finding in found]
    run = {
        "tool": {"driver": {"name": "dpipe", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}


def _sarif_level(severity: Severity) -> str:
    return "note" if severity == "info" else severity


def _sarif_rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "name": known.name,
        "shortDescription": {"text": known.summary},
        "help": {"text": f"dpipe explain {code}"},
        "defaultConfiguration": {"level": _sarif_level(known.severity)},
    }


def _sarif_result(
    finding: Diagnostic, indexes: Mapping[str, int], sources: Mapping[str, Source]
) -> dict[str, Any]:
    text = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": indexes[finding.code],
        "level": _sarif_level(finding.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": _sarif_place(finding.span, sources)}],
        "partialFingerprints": {"dpipe/v1": _fingerprint(finding, sources)},
    }
    related = [label for label in finding.labels if label.span != finding.span]
    if related:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _sarif_place(label.span, sources),
                "message": {"text": label.message},
            }
            for number, label in enumerate(related, 1)
        ]
    if finding.fixes:
        result["fixes"] = [_sarif_fix(fix, sources) for fix in finding.fixes]
    return result


def _sarif_place(span: Span, sources: Mapping[str, Source]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(span.file)}}
    if span.file in sources:
        place["region"] = _sarif_region(span, sources)
    return place


def _sarif_region(span: Span, sources: Mapping[str, Source]) -> dict[str, int]:
    source = sources[span.file]
    start, end = source.position(span.start), source.position(span.end)
    return {
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    }


def _sarif_fix(fix: Fix, sources: Mapping[str, Source]) -> dict[str, Any]:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        if edit.span.file in sources:
            replacement = {
                "deletedRegion": _sarif_region(edit.span, sources),
                "insertedContent": {"text": edit.text},
            }
            by_file.setdefault(edit.span.file, []).append(replacement)
    changes = [
        {"artifactLocation": {"uri": _uri(file)}, "replacements": replacements}
        for file, replacements in by_file.items()
    ]
    return {"description": {"text": fix.title}, "artifactChanges": changes}


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(file.replace("\\", "/"), errors="surrogateescape")


def _fingerprint(finding: Diagnostic, sources: Mapping[str, Source]) -> str:
    """The code and its line without spaces: it survives what happens elsewhere in the file."""
    source = sources.get(finding.span.file)
    line = source.line(source.position(finding.span.start).line)[:1000] if source else ""
    words = f"{finding.code} {' '.join(line.split())}"
    return hashlib.sha256(words.encode(errors="replace")).hexdigest()[:32]
