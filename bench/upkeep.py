"""Runs the program of the folder, and tells what its ledger and its record took of the CPU.

Timed are the counting of calls and lost rows, the funnel, and every event with all who listen to
it: the record under ``.dpipe/runs/`` is one. That each stage counts its rows is some additions in
its own loops, too small to be timed. ``pipeline.py`` runs this as one of its turns.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import wraps
from time import thread_time
from typing import Any

from dpipe.cli.main import main
from dpipe.runtime.events import Observers
from dpipe.runtime.executor import Executor
from dpipe.runtime.ledger import Tally
from dpipe.runtime.metering import Meter
from dpipe.runtime.recorder import RunFolder

TIMED = (
    (Meter, "__call__"),
    (Observers, "__call__"),
    (Executor, "counts"),
    (Tally, "lose"),
    (RunFolder, "begin"),
    (RunFolder, "close"),
)


class Watch:
    """Adds up the CPU time of what it watches; what is called inside counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = False

    def over(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            if self._inside:
                return function(*args, **named)
            self._inside, began = True, thread_time()
            try:
                return function(*args, **named)
            finally:
                self._inside = False
                self.seconds += thread_time() - began

        return timed


def run(*options: str) -> dict[str, Any]:
    """Run ``main.dpipe``: rows and seconds as it tells them, and the seconds of upkeep."""
    watch = Watch()
    for owner, name in TIMED:
        found = owner.__dict__[name]
        if isinstance(found, classmethod):
            setattr(owner, name, classmethod(watch.over(found.__func__)))
        else:
            setattr(owner, name, watch.over(found))
    sys.argv = ["dpipe", "run", "main.dpipe", "--progress", "none", "--format", "json", *options]
    with redirect_stdout(io.StringIO()) as shown, suppress(SystemExit):
        main()
    told = json.loads(shown.getvalue())
    rows = told["nodes"][0]["entered"]
    return {"rows": rows, "seconds": told["seconds"], "upkeep": watch.seconds}


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:])))
