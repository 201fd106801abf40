"""Writes lang/grammar.json, the parser's tables; ``--check`` tells whether they are current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dpipe.lang.parse import tables

FILE = Path(__file__).parent.parent / "lang/grammar.json"


def main() -> int:
    text = tables()
    if "--check" not in sys.argv:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if json.loads(FILE.read_bytes())["of"] == json.loads(text)["of"]:
        return 0
    print(
        "lang/grammar.json is not that of lang/grammar.lark; run scripts/generate", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
