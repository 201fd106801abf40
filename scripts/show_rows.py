"""Shows the first rows of a dataset: ``show_rows.py FILE COUNT``."""

from __future__ import annotations

import json
import sys
import textwrap
from itertools import islice
from pathlib import Path

from dpipe.cli.console import escape, width


def main(file: str, count: str) -> None:
    print(f"\nthe first {count} rows of {file}:")
    with Path(file).open(encoding="utf-8") as lines:
        for line in islice(lines, int(count)):
            row = json.loads(line)
            print()
            for name in ("instruction", "output"):
                print(shown(f"{name:>11}  ", row[name]))


def shown(label: str, text: str) -> str:
    return textwrap.fill(
        escape(text), width(), initial_indent=f"  {label}", subsequent_indent=" " * 15, max_lines=4
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
