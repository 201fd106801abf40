"""How well mistakes are told: edits of one token in every example program, through all
of ``check``: names, types and lints.

``python bench/mutations.py [CASES]`` prints the share of wrong programs that get exactly one
diagnostic, at most two, and one within a line of the edit.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from dpipe.lang.compile import compile_program
from dpipe.lang.diagnostics import Diagnostic
from dpipe.lang.scan import Token, scan
from dpipe.lang.source import Source, Span

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.lang.programs import STD, load_std  # noqa: E402

PROGRAMS = ROOT / "tests" / "programs"
KINDS = ("delete", "duplicate", "swap", "replace", "truncate")


class Mutant(Struct, frozen=True):
    kind: str
    text: str
    offset: int  # where the edit is
    what: str


class Outcome(Struct, frozen=True):
    mutant: Mutant
    found: tuple[Diagnostic, ...]
    near: bool  # a diagnostic or its label stands within a line of the edit


def mutants(cases: int, seed: int = 1) -> Iterator[Mutant]:
    """Edits of one token each, the same ones for the same seed."""
    chance = random.Random(seed)
    paths = sorted(PROGRAMS.glob("*.dpipe"))
    programs = [path.read_text("utf-8") for path in paths]
    scanned = [(text, scan(Source("m", text)).tokens) for text in programs]
    everything = [token.text for _, tokens in scanned for token in tokens]
    for _ in range(cases):
        text, tokens = chance.choice(scanned)
        index = chance.randrange(2, len(tokens) - 1)
        yield _mutant(chance.choice(KINDS), text, tokens, index, chance.choice(everything))


def _mutant(kind: str, text: str, tokens: list[Token], index: int, other: str) -> Mutant:
    token, after = tokens[index], tokens[index + 1]
    head, tail = text[: token.start], text[token.end :]
    what = token.text
    match kind:
        case "delete":
            text = head + tail
        case "duplicate":
            text = f"{head}{token.text} {token.text}{tail}"
        case "swap":
            between = text[token.end : after.start]
            text = _joined(head, after.text + between + token.text, text[after.end :])
            what = f"{token.text} {after.text}"
        case "replace":
            text = _joined(head, other, tail)
            what = f"{token.text} by {other}"
        case _:
            text = head
    return Mutant(kind, text, token.start, what)


def _joined(head: str, middle: str, tail: str) -> str:
    """The pieces, with a space where two words would become one."""
    if _touch(head, middle):
        middle = f" {middle}"
    return f"{middle} ".join((head, tail)) if _touch(middle, tail) else head + middle + tail


def _touch(left: str, right: str) -> bool:
    return left[-1:].isalnum() and right[:1].isalnum()


def judge(mutant: Mutant) -> Outcome:
    source = Source("m.dpipe", mutant.text)
    compiled = compile_program("m.dpipe", lambda path: _read(path, mutant.text), STD)
    line = source.position(min(mutant.offset, len(source.text))).line
    found = tuple(finding for finding in compiled.diagnostics if finding.severity == "error")
    spans = [span for d in found for span in _places(d)]
    near = any(
        source.position(span.start).line - 1 <= line <= source.position(span.end).line + 1
        for span in spans
    )
    return Outcome(mutant, found, near)


def _read(path: str, text: str) -> bytes:
    if path == "m.dpipe":
        return text.encode()
    return load_std(path) if path.startswith("<std>") else (PROGRAMS / path).read_bytes()


def _places(found: Diagnostic) -> Iterator[Span]:
    """Where the reader is sent: the mark, its labels, and the edit that is offered."""
    yield found.span
    for label in found.labels:
        yield label.span
    for fix in found.fixes:
        for edit in fix.edits:
            yield edit.span


def main(cases: int) -> None:
    started = time.perf_counter()
    outcomes = [judge(mutant) for mutant in mutants(cases)]
    wrong = [outcome for outcome in outcomes if outcome.found]
    print(f"{cases} mutants, {len(wrong)} wrong, {time.perf_counter() - started:.1f} s")
    for kind in KINDS:
        mine = [o for o in wrong if o.mutant.kind == kind]
        print(f"{kind:10} {_shares(mine)}")
    print(f"{'all':10} {_shares(wrong)}")
    print(Counter(d.code for outcome in wrong for d in outcome.found).most_common())


def _shares(outcomes: list[Outcome]) -> str:
    total = max(len(outcomes), 1)
    one = sum(len(o.found) == 1 for o in outcomes) / total
    two = sum(len(o.found) <= 2 for o in outcomes) / total
    near = sum(o.near for o in outcomes) / total
    return f"exactly one {one:.1%}, at most two {two:.1%}, near the edit {near:.1%}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
