"""Calls that fail in every way at once: no row is lost, harmed, or asked about too often."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpipe.runtime.models import gate
from tests.runtime.programs import Folder
from tests.runtime.storm import check, fated, program
from tests.server import serving

KEY = "sk-very-secret-0123456789"


def test_in_a_storm_every_row_ends_as_it_must_and_costs_what_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_FIRST_WAIT", 0.02)
    folder, rows = Folder(tmp_path), fated(150, seed=4)
    folder.rows("in.jsonl", [row.row for row in rows])
    assert len({row.outcome for row in rows}) >= 4
    with serving(retry_after="0.01", key=KEY) as server:
        text = program(server, places=64, timeout=0.3)
        result = folder.run(text, environ={"LLM_KEY": KEY}, canary=0)
        assert result.status == "rows lost"
        check(folder, rows, server)
