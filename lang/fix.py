"""Safe fixes applied to a text: those that keep the program's meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from dpipe.lang.diagnostics import Diagnostic, Edit
from dpipe.lang.source import Source


class Fixed(Struct, frozen=True):
    """The texts that changed, by file, and the findings that are mended."""

    texts: dict[str, str]
    mended: tuple[Diagnostic, ...]


def apply_fixes(findings: Iterable[Diagnostic], sources: Mapping[str, Source]) -> Fixed:
    """Apply the first safe fix of each finding, to ``sources`` alone.

    A fix that overlaps one before it, or touches another file, is left for the next time.
    """
    taken: dict[str, list[Edit]] = {}
    mended: list[Diagnostic] = []
    for finding in findings:
        fix = next((fix for fix in finding.fixes if fix.safe), None)
        if fix is None or not all(edit.span.file in sources for edit in fix.edits):
            continue
        if any(_overlap(edit, other) for edit in fix.edits for other in _in(taken, edit)):
            continue
        for edit in fix.edits:
            taken.setdefault(edit.span.file, []).append(edit)
        mended.append(finding)
    texts = {file: _edited(sources[file].text, edits) for file, edits in taken.items()}
    return Fixed(texts, tuple(mended))


def _in(taken: Mapping[str, list[Edit]], edit: Edit) -> list[Edit]:
    return taken.get(edit.span.file, [])


def _overlap(one: Edit, two: Edit) -> bool:
    """Whether two edits touch the same text; two insertions at one place do."""
    if one.span.start == two.span.start:
        return True
    return one.span.start < two.span.end and two.span.start < one.span.end


def _edited(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
