"""Writes docs/schemas, what other programs may rely on; ``--check`` tells whether it is current."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from dpipe.runtime import record, settings
from dpipe.runtime.cache.lines import Line
from dpipe.runtime.cache.reports import AnyReport
from dpipe.runtime.models.options import ModelOptions
from dpipe.runtime.result import RunResult
from dpipe.runtime.tracing.facts import Explanation, Fate

FOLDER = Path(__file__).parent.parent / "docs/schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file."""
    found = {
        "dpipe.toml": settings.json_schema(),
        "model-options": ModelOptions.model_json_schema(),
        "run-result": msgspec.json.schema(RunResult),
        "explain": msgspec.json.schema(Explanation | Fate),
        "cache": msgspec.json.schema(AnyReport),
        "journal-export": msgspec.json.schema(Line),
    }
    found |= {name.partition(".")[0]: schema for name, schema in record.json_schemas().items()}
    return {f"{name}.schema.json": schema for name, schema in found.items()}


def main() -> int:
    stale = []
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        path = FOLDER / name
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                FOLDER.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"docs/schemas is not current: {', '.join(stale)}; run scripts/generate")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
