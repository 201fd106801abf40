"""Writes constraints.txt: the version of every package that dpipe needs, as installed here.

``--check`` only tells whether the file names every one of them.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILE = Path(__file__).parent.parent / "constraints.txt"
HEADER = "# The versions that dpipe is tested with; `scripts/pin.py` writes this file.\n"


def needed(name: str, extras: frozenset[str], found: dict[str, str]) -> None:
    """Add to ``found`` what a package needs, and what those need in turn."""
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        if not applies(requirement, extras):
            continue
        key = canonicalize_name(requirement.name)
        if key not in found:
            found[key] = metadata.version(key)
            needed(key, frozenset(requirement.extras), found)


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras or {""})


def main() -> int:
    found = {"setuptools": metadata.version("setuptools")}
    needed("dpipe", frozenset({"dev"}), found)
    found.pop("dpipe", None)  # the extra for development names the others by it
    text = HEADER + "".join(f"{name}=={found[name]}\n" for name in sorted(found))
    if "--check" not in sys.argv:
        FILE.write_text(text)
        return 0
    pinned = {line.split("==")[0] for line in FILE.read_text().splitlines() if "==" in line}
    missing = sorted(found.keys() - pinned)
    if missing:
        print(f"constraints.txt lacks {', '.join(missing)}; run scripts/pin.py", file=sys.stderr)
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
