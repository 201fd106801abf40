"""Writes lang/grammar.json, the parser's tables; ``--check`` tells whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from dpipe.lang.tables import kept, made

FILE = Path(__file__).parent.parent / "lang/grammar.json"


def main() -> int:
    if "--check" not in sys.argv:
        FILE.write_bytes(msgspec.json.encode(made()) + b"\n")
        return 0
    if kept() == made():
        return 0
    print(
        "lang/grammar.json is not that of lang/grammar.lark; run scripts/generate", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
