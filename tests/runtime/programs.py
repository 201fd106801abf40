"""Whole programs run in a folder of the test's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dpipe.lang.compile import compile_program
from dpipe.lang.graph import Graph
from dpipe.project import bundled, load
from dpipe.runtime.events import Listener
from dpipe.runtime.run import RunOptions, RunResult, run
from dpipe.runtime.settings import Settings


class Folder:
    """A project; ``run`` compiles its ``main.dpipe`` anew each time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rows(self, name: str, rows: Sequence[Any]) -> None:
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def read(self, name: str) -> list[Any]:
        text = (self.root / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def files(self) -> list[str]:
        """What lies below ``out/``."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob("out/**/*"))

    def compiled(self, text: str) -> Graph:
        self.write("main.dpipe", text)
        compiled = compile_program(str(self.root / "main.dpipe"), load, bundled())
        assert compiled.graph is not None, compiled.diagnostics
        return compiled.graph

    def run(
        self,
        text: str,
        *,
        environ: Mapping[str, str] | None = None,
        observers: Sequence[Listener] = (),
        params: Mapping[str, Any] | None = None,
        only: tuple[str, ...] = (),
        replay: bool = False,
        **settings: Any,
    ) -> RunResult:
        options = RunOptions(
            params=params or {},
            only=only,
            settings=Settings.model_validate(settings),
            environ=environ or {},
            replay=replay,
        )
        return run(self.compiled(text), options, observers)
