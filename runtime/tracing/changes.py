"""What has changed since a run, as far as that can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dpipe.runtime.paths import display
from dpipe.runtime.python import file_of
from dpipe.runtime.record import Run
from dpipe.runtime.tracing.replay import Replay
from dpipe.runtime.tracing.watching import Trace
from dpipe.runtime.trust import targets


def changes(run: Run, replay: Replay, trace: Trace) -> Iterator[str]:
    """Each as a fact: inputs and Python by the times of their files, answers by the journal."""
    yield from changed_files(run, replay)
    dropped = trace.dropped()
    needed = (key for key, (node, row) in trace.unanswered.items() if not dropped(node, row))
    if lacking := sum(not replay.journal.recall(key) for key in needed):
        answers = f"{lacking} answer{'s' * (lacking != 1)}"
        yield f"the journal lacks {answers} that the run needs"


def changed_files(run: Run, replay: Replay) -> Iterator[str]:
    assert run.record is not None
    root, began = replay.frame.project.root, run.record.began.timestamp()
    for file in dict.fromkeys(_files(replay)):
        if file.exists() and file.stat().st_mtime > began:
            yield f"`{display(file, root)}` has changed since"


def _files(replay: Replay) -> Iterator[Path]:
    """All that a run reads."""
    for source in replay.inputs.sources.values():
        yield from source.files
    for target in targets(replay.frame.program):
        if file := file_of(target):
            yield file
