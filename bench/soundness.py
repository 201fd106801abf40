"""Whether programs that a check accepts run as it promised: programs by chance, by their numbers.

``python bench/soundness.py [COUNT] [FIRST]`` prints each broken promise with its program's number,
and what was refused, most frequent first: a refusal may be a rule that is too strict.
``python bench/soundness.py show NUMBER`` prints the program.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.soundness.programs import made  # noqa: E402
from tests.soundness.promises import broken  # noqa: E402


def main(count: int, first: int) -> None:
    began, failures = time.perf_counter(), 0
    refused: Counter[tuple[str, str]] = Counter()
    samples: dict[tuple[str, str], str] = {}
    for number in range(first, first + count):
        program = made(number)
        for one in program.refused:
            kind = (one.code, one.stage.split("(")[0])
            refused[kind] += 1
            samples.setdefault(kind, f"{one.stage.strip()}: {one.message}")
        with tempfile.TemporaryDirectory() as folder:
            for line in broken(program, Path(folder)):
                failures += 1
                print(f"{number}: {line}")
    seconds = time.perf_counter() - began
    print(f"{count} programs in {seconds:.0f} s, {failures} broken promises")
    for (code, stage), times in refused.most_common(20):
        print(f"{times:5} {code} {stage}: {samples[code, stage][:200]}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["show"]:
        print(made(int(sys.argv[2])).text)
    else:
        given = [int(arg) for arg in sys.argv[1:3]]
        main(*(given + [200, 0][len(given) :]))
