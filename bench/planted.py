"""How many of three mistakes are told: one planted in each of three declarations of a program.

``python bench/planted.py [CASES]`` prints the share of programs in which all three are told.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct
from mutations import PROGRAMS, STD, _read

from dpipe.lang.compile import compile_program
from dpipe.lang.diagnostics import Diagnostic

Mistake = Callable[[str, str], str | None]


def _replaced(pattern: str, by: str) -> Mistake:
    """The first place that fits the pattern, misspelt; None where there is none.

    A word that is not known is told once a file, so each misspelling (``~``) is one of its own.
    """

    def plant(text: str, own: str) -> str | None:
        found, count = re.subn(pattern, by.replace("~", own), text, count=1)
        return found if count else None

    return plant


MISTAKES: dict[str, Mistake] = {
    "a bracket left out": _replaced(r"\)\n", "\n"),
    "a comma left out": _replaced(r", (\w+:)", r" \1"),
    "a colon for an equals sign": _replaced(r"(\w+): (\d|\")", r"\1 = \2"),
    "a function misspelt": _replaced(r"\b(len|mean|contains|count|filter|trim)\(", r"\1~("),
    "a stage misspelt": _replaced(r"\| (unnest|where|dedup|sort|chunk|split)\(", r"| \1~("),
    "a writer misspelt": _replaced(r"\| (jsonl|alpaca|sharegpt|report)\(", r"| \1~("),
    "a type misspelt": _replaced(r": (str|int|float)\b", r": \1~"),
    "a placeholder misspelt": _replaced(r"\{(\w+)(\.?\w*)\}", r"{\1~\2}"),
    "a section misspelt": _replaced(r"\buser:", "usr:"),
    "an option misspelt": _replaced(r"\bconcurrency:", "concurency:"),
    "single quotes": _replaced(r'"(\w+)"', r"'\1'"),
    "a foreign operator": _replaced(r"(\.\w+\)?|\)) and (?=\.|\w+\()", r"\1 && "),
}


class Planted(Struct, frozen=True):
    """A program with three mistakes, and the lines of each one's declaration."""

    text: str
    kinds: tuple[str, ...]
    places: tuple[tuple[int, int], ...]


def planted(cases: int, seed: int = 1) -> Iterator[Planted]:
    chance = random.Random(seed)
    programs = [_declarations(path.read_text("utf-8")) for path in sorted(PROGRAMS.glob("*.dpipe"))]
    while cases:
        found = _plant(chance, list(chance.choice(programs)))
        if found is not None:
            cases -= 1
            yield found


def _declarations(text: str) -> list[str]:
    """The declarations, each with what follows it up to the next."""
    return re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)


def _plant(chance: random.Random, parts: list[str]) -> Planted | None:
    kinds: list[str] = []
    touched: list[int] = []
    for index in chance.sample(range(2, len(parts)), min(8, len(parts) - 2)):
        kind = chance.choice(list(MISTAKES))
        wrong = MISTAKES[kind](parts[index], f"q{index}")
        if wrong is not None:
            parts[index] = wrong
            kinds.append(kind)
            touched.append(index)
        if len(touched) == 3:
            return Planted("".join(parts), tuple(kinds), tuple(_lines(parts, at) for at in touched))
    return None


def _lines(parts: list[str], index: int) -> tuple[int, int]:
    first = "".join(parts[:index]).count("\n") + 1
    return first, first + parts[index].count("\n")


def missed(case: Planted) -> list[str]:
    """The kinds of mistake in whose declaration nothing is told."""
    compiled = compile_program("m.dpipe", lambda path: _read(path, case.text), STD)
    source = compiled.sources["m.dpipe"]

    def line(finding: Diagnostic) -> int:
        return source.position(finding.span.start).line if finding.span.file == "m.dpipe" else 0

    told = {line(finding) for finding in compiled.diagnostics if finding.severity == "error"}
    return [
        kind
        for kind, (first, last) in zip(case.kinds, case.places, strict=True)
        if not any(first <= at <= last for at in told)
    ]


def main(cases: int) -> None:
    results = [missed(case) for case in planted(cases)]
    whole = sum(not result for result in results) / len(results)
    print(f"{cases} programs with three mistakes: all three are told in {whole:.1%}")
    print(Counter(kind for result in results for kind in result).most_common())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
