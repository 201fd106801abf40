from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpipe.cli.main import main
from tests.cli.cli_driver import Done, Dpipe


@pytest.fixture
def dpipe(capfd: pytest.CaptureFixture[str]) -> Dpipe:
    """Runs ``dpipe ARGS`` in this process."""

    def run(*args: str | Path) -> Done:
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine changes what commands do; the folder is an empty one."""
    for name in list(os.environ):
        if name.startswith(("LLM_", "DPIPE_")) or name in ("GITHUB_ACTIONS", "NO_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
