"""The revision that a folder stands at, where it is in a git repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

PATIENCE_SECONDS = 5.0


class Revision(BaseModel):
    """``dirty``: whether files of the folder differ from the commit; null where git is silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    dirty: bool | None


def revision_of(folder: Path) -> Revision | None:
    """The revision of ``folder``; None without git, a repository, or a commit in it."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return Revision(commit=commit.strip(), dirty=None if changes is None else bool(changes))


def _git(folder: Path, *args: str) -> str | None:
    # A repository from elsewhere may name a program as its fsmonitor: it is not run.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *args]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
